"""Whether we may do at the target what a deploy does."""

from collections.abc import Iterator

import anyio

from sluice.doctor import Finding
from sluice.preflight.asking import AT_ONCE, Api, Right
from sluice.promotion.model import Target

_SHOWN = 4
_MAKE = ("get", "create", "patch")
_WRITE = ("get", "create", "update", "patch", "delete")
# What the charts of each namespace hold (helm's own records are Secrets), by group.
_OF_EVERY = {
    "": ("secrets", "configmaps", "services", "serviceaccounts"),
    "monitoring.coreos.com": ("servicemonitors",),
    "networking.k8s.io": ("networkpolicies",),
}
_OF_SERVICES = {
    "": ("pods",),  # of `helm test`
    "apps": ("deployments",),
    "autoscaling": ("horizontalpodautoscalers",),
    "policy": ("poddisruptionbudgets",),
    "coordination.k8s.io": ("leases",),  # the lock of promotions
}
_OF_MONITORING = {
    "apps": ("deployments", "daemonsets"),
    "rbac.authorization.k8s.io": ("roles", "rolebindings"),
    "monitoring.coreos.com": ("prometheuses", "alertmanagers", "prometheusrules", "podmonitors"),
}
_OF_LOGGING = {"apps": ("statefulsets", "daemonsets"), "policy": ("poddisruptionbudgets",)}
_WITHOUT_NAMESPACE = {
    "": ("namespaces",),
    "apiextensions.k8s.io": ("customresourcedefinitions",),
    "rbac.authorization.k8s.io": ("clusterroles", "clusterrolebindings"),
    "apiregistration.k8s.io": ("apiservices",),
}


def rights_of(target: Target) -> tuple[Right, ...]:
    """Return everything that a deploy does to a target: helm's writing, the waiting, the suites' asking."""
    cluster = target.cluster
    found = [Right(verb, one, group) for group, many in _WITHOUT_NAMESPACE.items() for one in many for verb in _MAKE]
    for namespace, own in (
        (cluster.services, _OF_SERVICES),
        (cluster.monitoring, _OF_MONITORING),
        (cluster.logging, _OF_LOGGING),
    ):
        for kinds in (_OF_EVERY, own):
            found += [
                Right(verb, one, group, namespace) for group, many in kinds.items() for one in many for verb in _WRITE
            ]
        found += _watching(namespace)
    # What serves an aggregated API reads there who calls it; the operator keeps the kubelets' Service there.
    rbac = "rbac.authorization.k8s.io"
    found += [Right(verb, one, rbac, "kube-system") for one in ("roles", "rolebindings") for verb in _MAKE]
    return tuple(dict.fromkeys(found))


def _watching(namespace: str) -> Iterator[Right]:
    yield Right("list", "pods", "", namespace)
    yield Right("list", "events", "", namespace)
    yield Right("get", "pods/log", "", namespace)
    yield Right("get", "services/proxy", "", namespace)
    yield Right("create", "services/proxy", "", namespace)


async def examine_rights(api: Api, target: Target) -> list[Finding]:
    """One line: whether all of it is allowed, or what is not."""
    what = "rights"
    if await api.may(Right("*", "*", "*")):
        return [Finding(what, "has", "everything, everywhere")]
    wanted = rights_of(target)
    allowed: dict[Right, bool] = {}
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def one(right: Right) -> None:
        async with limit:
            allowed[right] = await api.may(right)

    async with anyio.create_task_group() as group:
        for right in wanted:
            group.start_soon(one, right)
    missing = [str(right) for right in wanted if not allowed[right]]
    if not missing:
        return [Finding(what, "has", f"all {len(wanted)} that a deploy uses")]
    shown = "; ".join(missing[:_SHOWN]) + (f"; and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else "")
    cure = "an administrator: kubectl create clusterrolebinding sluice-deploy --clusterrole=cluster-admin --user=<you>"
    return [Finding(what, "lacks", shown, cure)]
