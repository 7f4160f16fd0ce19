"""Writes helm/monitoring/rules/metrics.txt anew from a cluster: `./nox -s metrics -- <kubeconfig>`."""

import sys
from pathlib import Path

import anyio

from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.prometheus.client import PrometheusMetrics

from .metrics import LIST, read_list, write_list

# What has a sample now. /api/v1/label/__name__/values would have what a fault left behind hours ago, too.
EVERY_NAME = 'count by (__name__) ({__name__!=""})'


async def live_names(prometheus: PrometheusMetrics) -> set[str]:
    """Every metric that Prometheus has at this moment."""
    return {series.labels["__name__"] for series in await prometheus.instant(EVERY_NAME)}


async def renew(kubeconfig: Path) -> None:
    """Ask the cluster, and keep the reasons that people wrote."""
    async with connect(kubeconfig) as client:
        names = await live_names(PrometheusMetrics(ServiceProxy(client, "monitoring", "prometheus", 9090)))
    old = read_list(LIST.read_text(encoding="utf-8"))
    LIST.write_text(write_list(names, old.reasons), encoding="utf-8")
    gone, come = sorted(old.names - old.reasons.keys() - names), sorted(names - old.names)
    print(f"{len(names)} metrics; {len(come)} are new; {len(gone)} are gone: {', '.join(gone) or 'none'}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("which cluster? ./nox -s metrics -- <the kubeconfig that ./nox -s e2e -- --keep tells>")
    anyio.run(renew, Path(sys.argv[1]))
