"""What a target's cluster has to have before the charts go there, read from the values that they are given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.promotion.model import PLATFORM, Target

Values = Mapping[str, Any]

# Under which key a receiver's Secret holds what it needs: helm/monitoring/README.md.
_RECEIVERS = {"slack": "url", "webhook": "url", "pagerduty": "routing-key", "email": "password"}
_OF_STORE = {"s3": ("accessKeyId", "secretAccessKey"), "azure": ("accountKey",)}


@dataclass(frozen=True, order=True)
class Secret:
    """A Secret and its keys; of a `registry`, a Docker configuration that knows this host."""

    namespace: str
    name: str
    keys: tuple[str, ...] = ()
    registry: str = ""


@dataclass(frozen=True)
class Needs:
    """Names, each once. A storage class "" is the cluster's default.

    `control_planes` are namespaces of Dapr's, `pubsubs` its components and `config_maps` ConfigMaps, as
    (namespace, name). `callers` are namespaces that may call services, such as an ingress controller's. `metrics` and
    `custom_metrics` say whether monitoring's chart brings what serves those APIs; `custom_metrics` is None where no
    service is scaled by any.
    """

    secrets: tuple[Secret, ...]
    storage_classes: tuple[str, ...]
    ingress_classes: tuple[str, ...]
    control_planes: tuple[str, ...]
    pubsubs: tuple[tuple[str, str], ...]
    config_maps: tuple[tuple[str, str], ...]
    callers: tuple[str, ...]
    metrics: bool
    custom_metrics: bool | None
    store: str
    client_id: str


def needs_of(target: Target, values: Mapping[str, Values]) -> Needs:
    """Return what charts need, by the values that each is given (chart_values.values_for)."""
    services = {chart: given for chart, given in values.items() if chart not in PLATFORM}
    monitoring, logging = values.get("monitoring", {}), values.get("logging", {})
    space = target.cluster.services
    injected = [one["dapr"] for one in services.values() if one["dapr"]["enabled"] and _annotated(one)]
    beside = [one["dapr"] for one in services.values() if one["dapr"]["enabled"] and not _annotated(one)]
    scaled = any(
        one["autoscaling"]["enabled"] and one["autoscaling"]["websocketConnections"] for one in services.values()
    )
    store = logging.get("loki", {}).get("objectStorage", {})
    return Needs(
        secrets=tuple(sorted({*_secrets(target, services, monitoring, store), *_pull_secrets(target, values)})),
        storage_classes=_once(_classes(monitoring, logging)),
        ingress_classes=_once(_ingresses(logging)),
        control_planes=_once(one["controlPlaneNamespace"] for one in injected),
        pubsubs=tuple((space, name) for name in _once(one["pubsub"] for one in injected)),
        config_maps=tuple((space, name) for name in _once(one["components"] for one in beside)),
        callers=_once(
            rule["namespace"]
            for one in services.values()
            for rule in one["networkPolicy"]["ingress"].values()
            if one["networkPolicy"]["enabled"] and rule.get("namespace")
        ),
        metrics=bool(monitoring.get("metricsServer", {}).get("enabled")),
        custom_metrics=bool(monitoring.get("prometheusAdapter", {}).get("enabled")) if scaled else None,
        store=store.get("type", "filesystem"),
        client_id=store.get("azure", {}).get("clientId", "") if store.get("type") == "azure" else "",
    )


def _annotated(service: Values) -> bool:
    return bool(service["dapr"]["mode"] == "annotations")


def _secrets(target: Target, services: Mapping[str, Values], monitoring: Values, store: Values) -> Iterator[Secret]:
    space = target.cluster.services
    for chart, given in services.items():
        if given["database"]["enabled"]:
            yield Secret(space, given["database"]["passwordSecret"] or f"{chart}-database", (_key(given),))
        if given["userTokens"]["enabled"]:
            # The suites sign tokens of users that they make up.
            keys = ("jwks.json", "signing-key.jwk") if target.smoke else ("jwks.json",)
            yield Secret(space, given["userTokens"]["secret"], keys)
        if given["dapr"]["enabled"]:
            yield Secret(space, given["dapr"]["appTokenSecret"], ("token",))
    for receiver in monitoring.get("alertmanager", {}).get("receivers", {}).values():
        for kind, one in receiver.items():
            if isinstance(one, Mapping) and one.get("secret"):
                yield Secret(target.cluster.monitoring, one["secret"], (_RECEIVERS[kind],))
    if monitoring.get("grafana", {}).get("enabled"):
        yield Secret(target.cluster.monitoring, monitoring["grafana"]["adminSecret"], ("user", "password"))
    keyless = store.get("type") == "azure" and store.get("azure", {}).get("clientId")
    if store.get("secret") and not keyless:
        yield Secret(target.cluster.logging, store["secret"], _OF_STORE.get(store["type"], ()))


def _key(service: Values) -> str:
    return str(service["database"]["passwordKey"])


def _pull_secrets(target: Target, values: Mapping[str, Values]) -> Iterator[Secret]:
    for chart, given in values.items():
        for name in given.get("imagePullSecrets") or ():
            yield Secret(target.cluster.namespace_of(chart), name, registry=target.registry.host)


def _classes(monitoring: Values, logging: Values) -> Iterator[str]:
    servers = [monitoring.get("prometheus", {}), monitoring.get("alertmanager", {}), logging.get("loki", {})]
    for storage in [server.get("storage", {}) for server in servers]:
        if storage.get("size"):
            yield storage.get("storageClassName", "")


def _ingresses(logging: Values) -> Iterator[str]:
    ingress = logging.get("loki", {}).get("ingress", {})
    if ingress.get("enabled"):
        yield ingress["className"]


def _once(names: Iterator[str] | Any) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
