"""targets/<name>.toml as frozen values. Durations are seconds; times of day are a target's own wall time.

Files are told relative to the tree's root; absolute ones and ~ are taken as they are.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from sluice.policy.model import STRICT, told
from sluice.promotion.signing import Identity, PublicKey, Trusted

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
    """Where the target's nodes pull from."""

    __pydantic_config__ = STRICT

    repository: Annotated[Repository, told("the registry's host and a path, such as `fra.ocir.io/example/sluice`")]
    credentials: Annotated[
        str,
        told("file: a Docker configuration (`config.json`), credential helpers included; without it Docker's own"),
    ] = ""
    ca: Annotated[
        str, told("file: the certificate (PEM) that signs the registry's; without it those that this host trusts")
    ] = ""
    pull_secrets: Annotated[
        tuple[Namespace, ...],
        told(
            "Secrets with which nodes pull, in each of the namespaces; they become every chart's `imagePullSecrets`;"
            " without it the cloud's values"
        ),
    ] = ()

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
    """How the target's cluster is reached.

    The charts call each other by the namespaces' defaults: change them only with the values that say so.
    """

    __pydantic_config__ = STRICT

    context: Annotated[
        Text,
        told("of the kubeconfig; always named, so that no `kubectl config use-context` elsewhere moves a deploy"),
    ]
    kubeconfig: Annotated[str, told("file; without it kubectl's own: `KUBECONFIG`, then `~/.kube/config`")] = ""
    services: Annotated[Namespace, told("namespace of the services")] = "default"
    monitoring: Annotated[Namespace, told("namespace of the chart `monitoring`")] = "monitoring"
    logging: Annotated[Namespace, told("namespace of the chart `logging`")] = "logging"

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
    """The object store that logs are kept in; no secret stands here itself."""

    # What a cloud needs of this, and may have, is in targets.OF_STORAGE.
    __pydantic_config__ = STRICT

    bucket: Annotated[Text, told("the bucket's or container's name")]
    endpoint: Annotated[
        str,
        Field(pattern=r"^[^\s@]*$"),  # without a key in it
        told("`<namespace>.compat.objectstorage.<region>.oraclecloud.com`"),
    ] = ""
    region: Annotated[str, told("the endpoint's")] = ""
    secret: Annotated[
        str,
        told("a Secret of the namespace of logging: keys `accessKeyId` and `secretAccessKey`, on AKS `accountKey`"),
    ] = ""
    account: Annotated[str, told("the storage account")] = ""
    client_id: Annotated[str, told("of a workload identity that may write there")] = ""
    service_account: Annotated[
        str,
        told("the Google service account that Loki acts for; none where the bucket's policy names `logging/loki`"),
    ] = ""


@dataclass(frozen=True)
class Window:
    """Days and times at which the target may be changed; one over midnight is two."""

    __pydantic_config__ = STRICT

    days: Annotated[tuple[Day, ...], Field(min_length=1), told("of the week")]
    start: Annotated[TimeOfDay, Field(alias="from"), told("time of day, such as `09:00`")]
    until: Annotated[TimeOfDay, told("time of day, not in it: of `16:00` the last minute is 15:59")]


@dataclass(frozen=True)
class Freeze:
    """Days on which nothing may be changed."""

    __pydantic_config__ = STRICT

    first: Annotated[date, Field(alias="from"), told("the first day")]
    last: Annotated[date, Field(alias="until"), told("the last day, included")]
    why: Annotated[Text, told("the reason that a refusal tells")]


@dataclass(frozen=True)
class Canary:
    """How a service whose image changes is tried beside the old one; docs/promotion.md tells what it is judged by."""

    __pydantic_config__ = STRICT

    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], told("percent of a service's pods, rising")] = (
        20,
        50,
    )
    seconds: Annotated[float, Field(ge=10, le=86_400), told("for how long each step is looked at")] = 300.0
    # SRE workbook, ch. 5: 2 % of a month's budget in an hour.
    max_burn: Annotated[
        float, Field(gt=0), told("of its error budget: faster than this, and the canary is stopped")
    ] = 14.4


@dataclass(frozen=True)
class Required:
    """The score of production readiness that a target asks for before it takes another release."""

    __pydantic_config__ = STRICT

    score: Annotated[float, Field(ge=0, le=100), told("points of 100; docs/production-readiness.md says of what")]
    days: Annotated[float, Field(gt=0, le=90), told("how old the score may be")] = 7.0


@dataclass(frozen=True)
class Target:
    """A cluster that releases are promoted to, with its registry; it is named after its file."""

    __pydantic_config__ = STRICT

    schema: Literal["sluice.target/v1"]
    cloud: Annotated[
        Cloud,
        told("of each chart the file `values-<cloud>.yaml` is used; of `local`, the chart's own values"),
    ]
    registry: Annotated[Registry, told("where images go, below")]
    cluster: Annotated[ClusterAccess, told("how the cluster is reached, below")]
    description: Annotated[str, told("a sentence for whoever reads `status`")] = ""
    public_key: Annotated[
        str, told("file: the key that releases have to be signed with, unless `[identity]` says who signs them")
    ] = "release/cosign.pub"
    identity: Annotated[Identity | None, told("who has to have signed releases, where no key does it, below")] = None
    accept: Annotated[Literal["pass", "warn"], told("the worst verdict that may come here")] = "pass"
    approvals: Annotated[
        int,
        Field(ge=0, le=10),
        told("how many different people have to have approved a release in `release/approvals.toml`"),
    ] = 0
    after: Annotated[tuple[Name, ...], told("targets on which a release has to be verified before")] = ()
    soak_seconds: Annotated[
        float, Field(ge=0, le=30 * 86_400), told("for how long it has to have been verified there")
    ] = 0.0
    timezone: Annotated[Zone, told("of the windows and freezes, by its IANA name, such as `Europe/Berlin`")] = field(
        default_factory=lambda: ZoneInfo("UTC")
    )
    windows: Annotated[
        tuple[Window, ...], Field(alias="window"), told("when it may be changed, below; without one, at any time")
    ] = ()
    freezes: Annotated[tuple[Freeze, ...], Field(alias="freeze"), told("when it may not, below")] = ()
    strategy: Annotated[Strategy, told("`canary` for services whose image changes")] = "rolling"
    canary: Annotated[Canary, told("its steps, below")] = field(default_factory=Canary)
    storage: Annotated[
        Storage | None,
        told("the object store of the logs, below; without it the files of `[values]` have to name one"),
    ] = None
    readiness: Annotated[
        Required | None, told("the score of `./nox -s readiness` that a deploy needs, below; without it none")
    ] = None
    values: Annotated[
        dict[Name, tuple[str, ...]],
        told("files of values, by the chart of `helm/` that they are for, or `services` for those of all services"),
    ] = field(default_factory=dict)
    smoke: Annotated[tuple[Name, ...], told("suites of `tests/e2e/` that are run against the target")] = ("api",)
    name: str = ""  # of the file

    def trusted(self, root: Path) -> Trusted:
        """Whose signature a release needs to come here."""
        if self.identity is None:
            return PublicKey(located(root, self.public_key))
        own = self.identity.trusted_root
        return replace(self.identity, trusted_root=str(located(root, own)) if own else "")

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
