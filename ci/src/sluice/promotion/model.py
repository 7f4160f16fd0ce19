"""targets/<name>.toml as frozen values. Durations are seconds; times of day are a target's own wall time."""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from sluice.policy.model import STRICT

SCHEMA = "sluice.target/v1"
Cloud = Literal["local", "oke", "aks", "gke"]
Strategy = Literal["rolling", "canary"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _zone(text: object) -> ZoneInfo:
    try:
        return ZoneInfo(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, KeyError, OSError):  # KeyError: there is none of that name
        raise PydanticCustomError("zone", "expected an IANA time zone, such as Europe/Berlin") from None


def _time_of_day(text: object) -> time:
    try:
        return datetime.strptime(str(text), "%H:%M").time()  # noqa: DTZ007 - a wall time, its zone stands beside it
    except ValueError:
        raise PydanticCustomError("time_of_day", "expected a time of day, such as 09:30") from None


Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")]
Text = Annotated[str, Field(min_length=1)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
Namespace = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
# As much of the distribution spec's grammar as a target needs: a host, perhaps with a port, and a path.
Repository = Annotated[
    str, Field(pattern=r"^[a-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$", max_length=255)
]


@dataclass(frozen=True)
class Registry:
    """Where the target's nodes pull from. `credentials` is a Docker configuration, `ca` a certificate: files."""

    __pydantic_config__ = STRICT

    repository: Repository
    credentials: str = ""
    ca: str = ""
    pull_secrets: tuple[Namespace, ...] = ()


@dataclass(frozen=True)
class ClusterAccess:
    """How the target's cluster is reached. An empty `kubeconfig` is kubectl's own choice; `context` one of it."""

    __pydantic_config__ = STRICT

    context: Text
    kubeconfig: str = ""
    services: Namespace = "default"
    monitoring: Namespace = "monitoring"
    logging: Namespace = "logging"


@dataclass(frozen=True)
class Window:
    """Days and times at which the target may be changed; `until` is not in it, and comes after `start`."""

    __pydantic_config__ = STRICT

    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    start: Annotated[TimeOfDay, Field(alias="from")]
    until: TimeOfDay


@dataclass(frozen=True)
class Freeze:
    """Days on which nothing may be changed, both included."""

    __pydantic_config__ = STRICT

    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="until")]
    why: Text


@dataclass(frozen=True)
class Canary:
    """Steps in percent of a service's pods, and how long each is looked at. `max_burn` is that of its error budget."""

    __pydantic_config__ = STRICT

    steps: tuple[Annotated[int, Field(ge=1, le=99)], ...] = (20, 50)
    seconds: Annotated[float, Field(ge=10, le=86_400)] = 300.0
    max_burn: Annotated[float, Field(gt=0)] = 14.4  # SRE workbook, ch. 5: 2 % of a month's budget in an hour


@dataclass(frozen=True)
class Target:
    """A cluster that releases are promoted to. `after` are targets that a release has to be verified on before."""

    __pydantic_config__ = STRICT

    schema: Literal["sluice.target/v1"]
    cloud: Cloud
    registry: Registry
    cluster: ClusterAccess
    description: str = ""
    public_key: str = "release/cosign.pub"
    accept: Literal["pass", "warn"] = "pass"
    approvals: Annotated[int, Field(ge=0, le=10)] = 0
    after: tuple[Name, ...] = ()
    soak_seconds: Annotated[float, Field(ge=0, le=30 * 86_400)] = 0.0
    timezone: Zone = field(default_factory=lambda: ZoneInfo("UTC"))
    windows: Annotated[tuple[Window, ...], Field(alias="window")] = ()
    freezes: Annotated[tuple[Freeze, ...], Field(alias="freeze")] = ()
    strategy: Strategy = "rolling"
    canary: Canary = field(default_factory=Canary)
    values: dict[Name, tuple[str, ...]] = field(default_factory=dict)
    smoke: tuple[Name, ...] = ("api",)
    name: str = ""  # of the file

    def values_of(self, chart: str) -> tuple[str, ...]:
        """The files of values that this target has for a chart, beyond its cloud's."""
        return self.values.get(chart, ())
