"""targets/<name>.toml as frozen values. Durations are seconds; times of day are a target's own wall time.

Files are told relative to the tree's root; absolute ones and ~ are taken as they are.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from sluice.policy.model import STRICT

SCHEMA = "sluice.target/v1"
Cloud = Literal["local", "oke", "aks", "gke"]
Strategy = Literal["rolling", "canary"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
PLATFORM = ("monitoring", "logging")  # the charts that are no service's
SERVICES = "services"  # in `values`: the charts of all services


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

    @property
    def host(self) -> str:
        """The registry's name, with its port where it has one."""
        return self.repository.partition("/")[0]

    def credentials_file(self, root: Path, environment: Mapping[str, str]) -> Path:
        """The Docker configuration to use; where the target names none, Docker's own."""
        if self.credentials:
            return located(root, self.credentials)
        folder = environment.get("DOCKER_CONFIG", "")
        return (Path(folder) if folder else Path("~/.docker").expanduser()) / "config.json"

    def ca_file(self, root: Path) -> Path | None:
        """The certificate that the registry's is checked with; None: those that this host trusts."""
        return located(root, self.ca) if self.ca else None


@dataclass(frozen=True)
class ClusterAccess:
    """How the target's cluster is reached. An empty `kubeconfig` is kubectl's own choice; `context` one of it."""

    __pydantic_config__ = STRICT

    context: Text
    kubeconfig: str = ""
    services: Namespace = "default"
    monitoring: Namespace = "monitoring"
    logging: Namespace = "logging"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Those that a deploy puts something into."""
        return tuple(dict.fromkeys((self.services, self.monitoring, self.logging)))

    def namespace_of(self, chart: str) -> str:
        """Where a chart is installed."""
        return {"monitoring": self.monitoring, "logging": self.logging}.get(chart, self.services)

    def kubeconfig_files(self, root: Path, environment: Mapping[str, str]) -> tuple[Path, ...]:
        """The kubeconfig to use; where the target names none, kubectl's own, which may be several files."""
        if self.kubeconfig:
            return (located(root, self.kubeconfig),)
        several = tuple(Path(one) for one in environment.get("KUBECONFIG", "").split(os.pathsep) if one)
        return several or (Path("~/.kube/config").expanduser(),)


@dataclass(frozen=True)
class Storage:
    """The object store that logs are kept in. What a cloud needs of this, and may have, is in targets.OF_STORAGE.

    `secret` names a Secret of the logging namespace. It never stands here itself.
    """

    __pydantic_config__ = STRICT

    bucket: Text
    endpoint: Annotated[str, Field(pattern=r"^[^\s@]*$")] = ""  # without a key in it
    region: str = ""
    secret: str = ""
    account: str = ""
    client_id: str = ""
    service_account: str = ""


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
    storage: Storage | None = None
    values: dict[Name, tuple[str, ...]] = field(default_factory=dict)
    smoke: tuple[Name, ...] = ("api",)
    name: str = ""  # of the file

    def values_of(self, chart: str) -> tuple[str, ...]:
        """The files of values that this target has for a chart, beyond its cloud's: all services', then its own."""
        of_all = () if chart in PLATFORM else self.values.get(SERVICES, ())
        return (*of_all, *self.values.get(chart, ()))

    def chart_values(self, chart: str) -> dict[str, Any]:
        """The values of a chart that follow from the target itself; they win over every file."""
        found: dict[str, Any] = {}
        if self.registry.pull_secrets:
            found["imagePullSecrets"] = list(self.registry.pull_secrets)
        if chart == "logging" and self.storage:
            found["loki"] = {"objectStorage": _object_storage(self.storage)}
        return found


def located(root: Path, file: str) -> Path:
    """Where a file that a target names is."""
    return root / Path(file).expanduser()


def _object_storage(storage: Storage) -> dict[str, Any]:
    """In the words of helm/logging/values.yaml; what is not said there is left to the cloud's own values."""
    found = {
        "bucket": storage.bucket,
        "secret": storage.secret,
        "s3": _said(endpoint=storage.endpoint, region=storage.region),
        "azure": _said(account=storage.account, clientId=storage.client_id),
        "gcs": _said(serviceAccount=storage.service_account),
    }
    return {key: value for key, value in found.items() if value}


def _said(**values: str) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}
