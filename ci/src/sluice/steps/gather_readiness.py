"""What a target is judged by for production, asked of its cluster, Prometheus, Alertmanager, Loki and ledger.

Each is asked by itself and has its own deadline: one that does not answer is noted as missing, and costs no other.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

import anyio
from cryptography import x509

from sluice.domain import Series
from sluice.errors import SluiceError, in_a_line
from sluice.ports import Alerting
from sluice.promotion.model import ClusterAccess
from sluice.readiness.model import Source
from sluice.readiness.snapshot import (
    NUMBERS,
    Alertmanager,
    Cluster,
    Ledger,
    Loki,
    Object,
    Prometheus,
    Rule,
    Scraped,
    Snapshot,
)

T = TypeVar("T")
_ANYWHERE = {
    "nodes": "/api/v1/nodes",
    "namespaces": "/api/v1/namespaces",
    "pods": "/api/v1/pods",
    "persistentvolumes": "/api/v1/persistentvolumes",
}
_IN_A_NAMESPACE = {
    "deployments": "apis/apps/v1",
    "daemonsets": "apis/apps/v1",
    "persistentvolumeclaims": "api/v1",
    "resourcequotas": "api/v1",
    "services": "api/v1",
    "cronjobs": "apis/batch/v1",
    "ingresses": "apis/networking.k8s.io/v1",
    "endpointslices": "apis/discovery.k8s.io/v1",
}
_SYSTEM = "kube-system"
_METRICS_API = "/apis/metrics.k8s.io/v1beta1/nodes"
_LATELY = "15m"
_OF_LOKI = ("limits_config", "compactor", "common", "ingester")  # what checks read of its configuration


class Objects(Protocol):
    """Knows how to read the API server's objects; each method raises ClusterError."""

    async def get(self, path: str) -> dict[str, Any] | None:
        """What is at a path; None where nothing is."""
        ...

    async def items(self, path: str) -> list[dict[str, Any]]:
        """The objects of a list; none where there is no such kind."""
        ...

    async def served(self, path: str) -> bool:
        """Whether something answers at a path."""
        ...


class OfTarget(Protocol):
    """Something that Prometheus scrapes."""

    @property
    def health(self) -> str:
        """Up, down or unknown."""

    @property
    def error(self) -> str:
        """Of the last scrape."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Its job and namespace among them."""


class OfRule(Protocol):
    """A rule that Prometheus has loaded."""

    @property
    def group(self) -> str:
        """The name of its group."""

    @property
    def name(self) -> str:
        """Its alert, or what it records."""

    @property
    def health(self) -> str:
        """Ok, err or unknown."""

    @property
    def error(self) -> str:
        """Of its last evaluation."""


class Scraper(Protocol):
    """Knows how to ask a Prometheus what it does; each method raises EvidenceError."""

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """The query's vector."""
        ...

    async def targets(self) -> tuple[OfTarget, ...]:
        """Everything that is scraped."""
        ...

    async def rules(self) -> tuple[OfRule, ...]:
        """Every loaded rule."""
        ...

    async def retention(self) -> str:
        """For how long, and up to which size, it keeps."""
        ...


class Router(Alerting, Protocol):
    """Knows how to ask an Alertmanager also about itself; each method raises EvidenceError."""

    async def status(self) -> tuple[dict[str, Any], int]:
        """What it runs with, and how many know each other."""
        ...


class LogStore(Protocol):
    """Knows how to ask a Loki; each method raises EvidenceError."""

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """A metric query over logs."""
        ...

    async def labels(self) -> frozenset[str]:
        """The names of its labels."""
        ...

    async def config(self) -> dict[str, Any]:
        """What it runs with."""
        ...


@dataclass(frozen=True)
class Ways:
    """How what answers on a target is reached."""

    objects: Objects
    prometheus: Scraper
    alertmanager: Router
    loki: LogStore
    ledger: Callable[[], Awaitable[Ledger]]


async def gather_readiness(snapshot: Snapshot, ways: Ways, *, deadline_seconds: float) -> Snapshot:
    """Return a snapshot with what the target's parts say; `deadline_seconds` is each one's."""
    spaces = snapshot.target.cluster
    work: dict[Source, Callable[[], Awaitable[Any]]] = {
        "cluster": partial(_cluster, ways.objects, spaces),
        "prometheus": partial(_prometheus, ways.prometheus, spaces.services),
        "alertmanager": partial(_alertmanager, ways.alertmanager),
        "loki": partial(_loki, ways.loki, spaces.services),
        "ledger": ways.ledger,
    }
    found: dict[str, Any] = {}
    missing: dict[Source, str] = dict(snapshot.missing)

    async def one(source: Source, ask: Callable[[], Awaitable[Any]]) -> None:
        try:
            with anyio.fail_after(deadline_seconds):
                found[source] = await ask()
        except* TimeoutError:
            missing[source] = f"no answer within {deadline_seconds:g} s"
        except* SluiceError as group:
            missing[source] = in_a_line(_first(group))
        except* (LookupError, ValueError, TypeError, AttributeError) as group:
            error = _first(group)
            missing[source] = f"what came cannot be read: {type(error).__name__}: {error}"

    async with anyio.create_task_group() as group:
        for source, ask in work.items():
            group.start_soon(one, source, ask)
    return replace(snapshot, **found, missing=missing)


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


async def _cluster(api: Objects, spaces: ClusterAccess) -> Cluster:
    found: dict[str, list[Object]] = {plural: list(await api.items(path)) for plural, path in _ANYWHERE.items()}
    for plural, group in _IN_A_NAMESPACE.items():
        namespaces = (*spaces.namespaces, *([_SYSTEM] if plural == "deployments" else []))
        found[plural] = [one for name in namespaces for one in await api.items(f"/{group}/namespaces/{name}/{plural}")]
    named = {
        (ingress["metadata"]["namespace"], str(entry["secretName"]))
        for ingress in found["ingresses"]
        for entry in ingress["spec"].get("tls") or ()
        if entry.get("secretName")
    }
    certificates = {f"{space}/{name}": await _until(api, space, name) for space, name in sorted(named)}
    return Cluster(found, certificates, await api.served(_METRICS_API))


async def _until(api: Objects, namespace: str, secret: str) -> float | None:
    """Until when a Secret's certificate is valid; None where it cannot be read. Of its key nothing is kept."""
    try:
        found = await api.get(f"/api/v1/namespaces/{namespace}/secrets/{secret}") or {}
        pem = base64.b64decode((found.get("data") or {})["tls.crt"])
        moment: datetime = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except (SluiceError, LookupError, ValueError, TypeError):
        return None
    return moment.timestamp()


async def _prometheus(asked: Scraper, services: str) -> Prometheus:
    scraped = tuple(
        Scraped(one.labels.get("job", ""), one.labels.get("namespace", ""), one.health, one.error)
        for one in await asked.targets()
    )
    rules = tuple(Rule(one.group, one.name, one.health, one.error) for one in await asked.rules())
    numbers = {
        name: _by(label, await asked.instant(query.replace("{services}", services)))
        for name, (label, query) in NUMBERS.items()
    }
    return Prometheus(scraped, rules, await asked.retention(), numbers)


async def _alertmanager(asked: Router) -> Alertmanager:
    active = frozenset(one.labels.get("alertname", "") for one in await asked.alerts() if one.state == "active")
    config, peers = await asked.status()
    return Alertmanager(config, active, peers)


async def _loki(asked: LogStore, services: str) -> Loki:
    query = f'sum by (service) (count_over_time({{namespace="{services}"}}[{_LATELY}]))'
    lines = _by("service", await asked.instant(query))
    config = await asked.config()
    return Loki(await asked.labels(), lines, {key: config[key] for key in _OF_LOKI if key in config})


def _by(label: str, series: tuple[Series, ...]) -> dict[str, float]:
    return {one.labels.get(label, ""): one.points[-1][1] for one in series if one.points}
