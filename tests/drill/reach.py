"""The cluster of a drill, as the suites reach theirs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.kube import Kube
from tests.e2e.sockets import Sockets
from tests.e2e.support import Clients
from tests.e2e.users import Signer

from sluice.adapters.kubernetes.connection import connect, websocket_access
from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.domain import load
from sluice.steps.run_suites import ServiceAddress, SuiteContext

AUDITOR = "auditor"


@dataclass(frozen=True)
class Reached:
    """The services as any user, and what watches them."""

    clients: Clients
    prometheus: PrometheusMetrics
    loki: LokiLogs

    async def chain(self, anchor: str = "") -> dict[str, object]:
        """What audit finds of its chain: `valid`, `entries`, `head`."""
        auditor = self.clients.of("audit", "drill-auditor", lambda _: None, AUDITOR)
        return await auditor.read("/api/v1/audit/verify", **({"anchor": anchor} if anchor else {}))


@asynccontextmanager
async def reach(context_file: Path) -> AsyncIterator[Reached]:
    """Open the way to the cluster that a context names (steps/run_suites.py)."""
    context = load(SuiteContext, context_file)
    kubeconfig = Path(context.kubeconfig)
    async with connect(kubeconfig, context=context.kube_context) as client:

        def proxy(address: ServiceAddress) -> ServiceProxy:
            return ServiceProxy(client, address.namespace, address.name, address.port)

        access = await websocket_access(kubeconfig, context=context.kube_context)
        secret = await Kube(client, Sockets(access), context.namespace).secret("user-tokens", "signing-key.jwk")
        proxies = {name: proxy(address) for name, address in context.services.items()}
        clients = Clients(proxies, Signer.from_jwk(secret))
        yield Reached(clients, PrometheusMetrics(proxy(context.prometheus)), LokiLogs(proxy(context.loki)))
