"""All checks of a target, in the order in which one mends: what is on this host, the cluster, what the charts need."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import cache, partial
from pathlib import Path

import httpx

from sluice.adapters.kubernetes.connection import connect
from sluice.doctor import Finding
from sluice.preflight import clouds, cluster, reach
from sluice.preflight.asking import SECONDS, Api, Check, all_of, bounded
from sluice.preflight.rights import examine_rights
from sluice.promotion.chart_values import charts_of, values_for
from sluice.promotion.model import Target
from sluice.promotion.needs import Needs, needs_of
from sluice.supply.catalog import load_catalog

# As connection.connect: a kubeconfig, and one of its contexts.
Connect = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


async def examine_target(
    target: Target,
    root: Path,
    *,
    environment: Mapping[str, str] = os.environ,
    connect: Connect = connect,
    registry: httpx.AsyncBaseTransport | None = None,
    seconds: float = SECONDS,
) -> list[Finding]:
    """Look at everything that a deploy to a target needs; changes nothing and raises nothing.

    `seconds` is how long each check may take. The cluster is asked only where the way there is known.
    """

    async def names() -> list[Finding]:
        return reach.names(target)

    async def trusted() -> list[Finding]:
        return reach.trusted(target, root)

    found = await all_of(
        [
            ("names", names),
            ("signatures", trusted),
            ("registry", partial(reach.registry, target, root, environment, registry)),
        ],
        seconds=seconds,
    )
    kubeconfig = reach.read_kubeconfig(target, root, environment)
    found += kubeconfig.findings
    found += await bounded("credentials plugin", partial(reach.plugin, kubeconfig, target), seconds=seconds)
    if any(one.state == "lacks" and one.what in ("kubeconfig", "credentials plugin") for one in found):
        return found

    async def on_the_cluster() -> list[Finding]:
        async with connect(kubeconfig.path, context=target.cluster.context) as client:
            return await _of_cluster(Api(client), target, root, seconds)

    # Each check of these has its own time, side by side; all of them together have some more.
    return found + await bounded("API server", on_the_cluster, seconds=4 * seconds)


async def _of_cluster(api: Api, target: Target, root: Path, seconds: float) -> list[Finding]:
    async def answers() -> list[Finding]:
        version = (await api.get("/version") or {})["gitVersion"]
        return [Finding("API server", "has", f"Kubernetes {version}")]

    found = await bounded("API server", answers, seconds=seconds)
    if found[0].state == "lacks":
        return found
    needed: list[Needs] = []

    async def values() -> list[Finding]:
        needed.append(needs_of(target, {chart: values_for(root, target, chart) for chart in charts_of(root)}))
        return []

    checks: list[tuple[str, Check]] = [("rights", partial(examine_rights, api, target))]
    found += await bounded("charts' values", values, seconds=seconds)
    for needs in needed:
        checks += [*cluster.checks(api, target, needs, dapr=_dapr_version()), *clouds.checks(api, target, needs)]
    return found + await all_of(checks, seconds=seconds)


@cache
def _dapr_version() -> str:
    """That of the sidecar that services are tested with."""
    return load_catalog()["daprd"].version
