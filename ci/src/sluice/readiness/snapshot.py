"""What is known of a target when it is judged. Pure values: steps/gather_readiness.py fills them.

Objects are Kubernetes' own, as JSON has them. What could not be asked stays empty here and stands in `missing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice.promotion.ledger import Entry
from sluice.promotion.model import PLATFORM, Target
from sluice.readiness.model import Source

Object = Mapping[str, Any]
Objects = Sequence[Object]


@dataclass(frozen=True)
class Tree:
    """The source tree: `slos` are the names of each service's objectives, `pages` texts of Markdown by their path."""

    services: tuple[str, ...] = ()
    slos: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Charts:
    """What each chart renders to with the target's values, and these values themselves."""

    manifests: Mapping[str, Objects] = field(default_factory=dict)
    values: Mapping[str, Object] = field(default_factory=dict)

    @property
    def services(self) -> dict[str, Objects]:
        """Those of services."""
        return {name: objects for name, objects in self.manifests.items() if name not in PLATFORM}

    def of_kind(self, *kinds: str) -> list[tuple[str, Object]]:
        """Return all objects of these kinds, each with `chart Kind/name`."""
        return [
            (f"{chart} {one['kind']}/{one['metadata']['name']}", one)
            for chart, objects in self.manifests.items()
            for one in objects
            if one["kind"] in kinds
        ]


@dataclass(frozen=True)
class Cluster:
    """Objects by their plural, of the target's namespaces where they are in one; `pods` of all namespaces.

    `certificates` are those that ingresses serve: until when, by `namespace/secret`; None where there is none.
    """

    objects: Mapping[str, Objects] = field(default_factory=dict)
    certificates: Mapping[str, float | None] = field(default_factory=dict)
    metrics_api: bool = False

    def of(self, plural: str, namespace: str = "") -> list[Object]:
        """Return the objects of a plural, those of a namespace only where one is given."""
        found = self.objects.get(plural, ())
        return [one for one in found if not namespace or one["metadata"].get("namespace") == namespace]

    def named(self, plural: str, namespaces: Sequence[str] = ()) -> list[tuple[str, Object]]:
        """Return objects that are in a namespace, or in one of these, each with `namespace/name`."""
        metas = [(one["metadata"], one) for one in self.objects.get(plural, ())]
        return [
            (f"{meta['namespace']}/{meta['name']}", one)
            for meta, one in metas
            if not namespaces or meta["namespace"] in namespaces
        ]


@dataclass(frozen=True)
class Scraped:
    """A target of Prometheus: `health` is up, down or unknown."""

    job: str
    namespace: str
    health: str
    error: str = ""


@dataclass(frozen=True)
class Rule:
    """A rule that Prometheus has loaded: `health` is ok, err or unknown."""

    group: str
    name: str
    health: str
    error: str = ""


@dataclass(frozen=True)
class Prometheus:
    """What Prometheus says of itself; `numbers` are the values of queries by the names that NUMBERS gives them.

    `retention` is as it tells it, such as `15d or 10GiB`.
    """

    scraped: tuple[Scraped, ...] = ()
    rules: tuple[Rule, ...] = ()
    retention: str = ""
    numbers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Alertmanager:
    """Its configuration as it runs, the names of its active alerts, and how many of them know each other."""

    config: Object = field(default_factory=dict)
    alerts: frozenset[str] = frozenset()
    peers: int = 0


@dataclass(frozen=True)
class Loki:
    """Its labels, the lines that it took lately by service (of the services' namespace), and its configuration."""

    labels: frozenset[str] = frozenset()
    lines: Mapping[str, float] = field(default_factory=dict)
    config: Object = field(default_factory=dict)


@dataclass(frozen=True)
class Ledger:
    """The target's ledger, what runs otherwise than it was promoted, and what is wrong with the releases in it.

    `unproven` is why the release that runs cannot be trusted, `back` why the one before it cannot be gone back to.
    """

    entries: tuple[Entry, ...] = ()
    drift: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    back: tuple[str, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """All of it at a time, in seconds since the epoch; `missing` has why a source could not be asked."""

    at: float
    target: Target
    tree: Tree = field(default_factory=Tree)
    charts: Charts = field(default_factory=Charts)
    cluster: Cluster = field(default_factory=Cluster)
    prometheus: Prometheus = field(default_factory=Prometheus)
    alertmanager: Alertmanager = field(default_factory=Alertmanager)
    loki: Loki = field(default_factory=Loki)
    ledger: Ledger = field(default_factory=Ledger)
    missing: Mapping[Source, str] = field(default_factory=dict)


# What is asked of Prometheus beside targets and rules: a number by one label's value. {services} is their namespace.
NUMBERS: Mapping[str, tuple[str, str]] = {
    "firing": ("alertname", 'count by (alertname) (ALERTS{alertstate="firing", severity="critical"})'),
    "volumes": (
        "persistentvolumeclaim",
        "1 - min by (persistentvolumeclaim)"
        " (kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes)",
    ),
    "memory": (
        "container",
        'max by (container) (container_memory_working_set_bytes{namespace="{services}", container!=""})'
        ' / max by (container) (kube_pod_container_resource_requests{namespace="{services}", resource="memory"})',
    ),
    "budgets": ("service", "min by (service) (slo:period_error_budget_remaining:ratio)"),
    "client_certificates": (
        "job",
        "histogram_quantile(0.01,"
        ' sum by (job, le) (rate(apiserver_client_certificate_expiration_seconds_bucket{job="apiserver"}[30m])))',
    ),
}
