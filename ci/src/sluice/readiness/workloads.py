"""What checks look at objects with: what becomes pods, and a fault of each of several things."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sluice.promotion.model import PLATFORM
from sluice.readiness.model import Found
from sluice.readiness.snapshot import Charts, Object, Snapshot

T = TypeVar("T")
# What the Prometheus operator adds to the container of each of its custom resources (its pkg/operator/statefulset.go).
_LOCKED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
_OPERATED = ("Prometheus", "Alertmanager")


@dataclass(frozen=True)
class Workload:
    """Something of a chart that becomes pods and goes on: `pod` is their spec, `object` what they come from."""

    chart: str
    kind: str
    name: str
    labels: Mapping[str, str]
    pod: Object
    containers: tuple[Object, ...]
    init: tuple[Object, ...]
    object: Object

    def __str__(self) -> str:
        return f"{self.chart} {self.kind}/{self.name}"

    @property
    def every(self) -> tuple[Object, ...]:
        """All its containers."""
        return (*self.init, *self.containers)

    @property
    def lasting(self) -> tuple[Object, ...]:
        """Those that run as long as the pod does: a native sidecar is an init container that is started again."""
        return (*(one for one in self.init if one.get("restartPolicy") == "Always"), *self.containers)

    @property
    def platform(self) -> bool:
        """Whether it is of a chart that is no service's."""
        return self.chart in PLATFORM


def workloads(charts: Charts) -> list[Workload]:
    """Return what becomes pods, but the pods of tests, which are gone in a moment."""
    return [
        found
        for chart, objects in charts.manifests.items()
        for one in objects
        if (found := _workload(chart, one)) is not None
    ]


def of_services(charts: Charts) -> list[Workload]:
    """Return the Deployments of services."""
    return [one for one in workloads(charts) if one.kind == "Deployment" and not one.platform]


def databases(charts: Charts) -> list[tuple[str, Mapping[str, str]]]:
    """Return what services with a database are told of it, each with its ConfigMap's name."""
    return [
        (one["metadata"]["name"], one["data"])
        for objects in charts.services.values()
        for one in objects
        if one["kind"] == "ConfigMap" and "DATABASE_NAME" in (one.get("data") or {})
    ]


def autoscalers(charts: Charts) -> dict[tuple[str, str], Object]:
    """Return what autoscalers say, by the kind and name of what each scales."""
    specs = (one["spec"] for _, one in charts.of_kind("HorizontalPodAutoscaler"))
    return {(spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]): spec for spec in specs}


def alerts(charts: Charts) -> list[tuple[str, Object]]:
    """Return the alerts of the charts, each with its name."""
    return [
        (rule["alert"], rule)
        for _, one in charts.of_kind("PrometheusRule")
        for group in one["spec"].get("groups") or ()
        for rule in group.get("rules") or ()
        if "alert" in rule
    ]


def _workload(chart: str, one: Object) -> Workload | None:
    kind, name, spec = one["kind"], one["metadata"]["name"], one.get("spec") or {}
    if kind in _OPERATED:
        return _operated(chart, one)
    template = spec["jobTemplate"]["spec"]["template"] if kind == "CronJob" else spec.get("template")
    if not template or "containers" not in template.get("spec", {}):
        return None
    pod = template["spec"]
    labels = (template.get("metadata") or {}).get("labels") or {}
    return Workload(
        chart, kind, name, labels, pod, tuple(pod["containers"]), tuple(pod.get("initContainers") or ()), one
    )


def _operated(chart: str, one: Object) -> Workload:
    """The pod that the operator makes of a custom resource, as far as that tells it."""
    spec, name = one["spec"], one["kind"].lower()
    container: dict[str, Any] = {"name": name, "image": spec["image"], "securityContext": _LOCKED}
    container |= {key: spec[key] for key in ("resources",) if key in spec}
    for patch in spec.get("containers") or ():
        container |= patch if patch["name"] == name else {}
    labels = {"app.kubernetes.io/name": name, **((spec.get("podMetadata") or {}).get("labels") or {})}
    return Workload(chart, one["kind"], one["metadata"]["name"], labels, spec, (container,), (), one)


def each(what: str, things: Iterable[tuple[str, T]], fault: Callable[[T], str | Iterable[str]]) -> Found:
    """Return what is wrong with each of the named things. That there is none is wrong too: nothing was looked at."""
    named = list(things)
    if not named:
        return Found(f"no {what}", (f"there is no {what}",))
    wrong = [f"{name}: {said}" for name, thing in named for said in _several(fault(thing))]
    return Found(f"{what}: {len(named)}", tuple(wrong))


def each_workload(
    snapshot: Snapshot, fault: Callable[[Workload], str | Iterable[str]], *, services: bool = False
) -> Found:
    """Return what is wrong with each workload of the charts, or with those of services."""
    found = of_services(snapshot.charts) if services else workloads(snapshot.charts)
    return each("service" if services else "workload", ((str(one), one) for one in found), fault)


def each_container(snapshot: Snapshot, fault: Callable[[Object, Workload], str], *, lasting: bool = False) -> Found:
    """Return what is wrong with each container of the charts, or with those that go on."""
    found = [
        (f"{one} {container['name']}", (container, one))
        for one in workloads(snapshot.charts)
        for container in (one.lasting if lasting else one.every)
    ]
    return each("container", found, lambda pair: fault(*pair))


def matches(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector takes these labels. None takes nothing, an empty one everything.

    By matchLabels only: what more it says (matchExpressions) is taken not to match, which a check then tells.
    """
    if selector is None or selector.get("matchExpressions"):
        return False
    return all(labels.get(name) == value for name, value in (selector.get("matchLabels") or {}).items())


def _several(said: str | Iterable[str]) -> Iterator[str]:
    yield from filter(None, (said,) if isinstance(said, str) else said)
