"""Load makes an autoscaler add pods, so do connections, and a disruption budget lets pods go one by one only.

Each of the three waits for the cluster most of its time: they go side by side, and every test tells how its own ended.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

import anyio
import pytest
from tests.e2e.autoscaling.scaling import Scaled, autoscalers
from tests.e2e.kube import Kube
from tests.e2e.support import Backend, Clients, eventually
from tests.e2e.users import Signer, new_user
from tests.e2e.websocket.listening import Sync

from sluice.steps.run_suites import SuiteContext

# It takes processors and pods away from everybody else.
pytestmark = [pytest.mark.anyio, pytest.mark.disturbing]

# metrics-server asks every 15 s, the autoscaler looks every 15 s, a pod takes some seconds to be ready.
SCALED_WITHIN = 180.0
METRICS_WITHIN = 120.0
REPLACED_WITHIN = 180.0
BURST_SECONDS = 4.0
# More than sync's pods may have by tests/e2e/values/service-sync.yaml; a user may have 20 at a pod.
CONNECTIONS = 26
CONNECTIONS_PER_USER = 10

Endings = dict[str, Exception | None]


@pytest.fixture(scope="module")
async def endings(kube: Kube, clients: Clients, signer: Signer, context: SuiteContext) -> Endings:
    """Run all that is tested here, and return what each raised, if anything."""
    found: Endings = {}

    async def run(name: str, check: Callable[[], Awaitable[None]]) -> None:
        try:
            await check()
            found[name] = None
        except Exception as error:  # noqa: BLE001 - the test of that name raises it
            found[name] = error.exceptions[0] if isinstance(error, ExceptionGroup) else error

    sync, backend = Sync(kube, context.services["sync"], signer), clients.backend(new_user(), lambda _: None)
    async with anyio.create_task_group() as group:
        group.start_soon(run, "load", partial(grows, Scaled(kube, "backend", "ContainerResource"), load(backend)))
        group.start_soon(run, "connections", partial(grows, Scaled(kube, "sync", "Pods"), connections(sync)))
        group.start_soon(run, "disruptions", partial(goes_one_by_one, kube, tuple(context.services)))
    return found


@pytest.mark.parametrize("of", ["load", "connections"])
async def test_too_much_makes_the_autoscaler_add_pods(endings: Endings, of: str) -> None:
    if error := endings[of]:
        raise error


async def test_a_disruption_budget_lets_pods_go_one_by_one(endings: Endings) -> None:
    if error := endings["disruptions"]:
        raise error


async def grows(scaled: Scaled, too_much: AbstractAsyncContextManager[None]) -> None:
    """Wait until there are more pods than without what is too much."""
    await eventually(scaled.settled, within=METRICS_WITHIN, every=1)
    try:
        async with too_much:
            await eventually(scaled.grown, within=SCALED_WITHIN, every=1)
    finally:
        with anyio.CancelScope(shield=True):
            await scaled.kube.scale(scaled.service, await scaled.least())


@asynccontextmanager
async def load(backend: Backend) -> AsyncIterator[None]:
    """Keep a core of the backend's pods busy while the block runs, and a little longer."""

    async def burn() -> None:
        while True:
            burst = {"seconds": str(BURST_SECONDS)}
            response = await backend.request("POST", "/faults/cpu", params=burst)
            assert response.status_code == 202, (
                f"{response.status_code} {response.text}: the backend needs faults.enabled in its chart's values"
            )
            await anyio.sleep(BURST_SECONDS / 2)

    async with anyio.create_task_group() as group:
        group.start_soon(burn)
        yield
        group.cancel_scope.cancel()


@asynccontextmanager
async def connections(sync: Sync) -> AsyncIterator[None]:
    """Hold connections on which nothing happens; nobody reads the heartbeats, so they are let pile up."""
    async with AsyncExitStack() as held:
        for number in range(CONNECTIONS):
            if number % CONNECTIONS_PER_USER == 0:
                user = new_user()
            await held.enter_async_context(sync.listening(user, max_queue=None))
        yield


async def goes_one_by_one(kube: Kube, services: tuple[str, ...]) -> None:
    """Evict all pods of a service: each but the first has to wait until another is ready."""
    found = await autoscalers(kube)
    several = [name for name in services if name in found and found[name]["spec"]["minReplicas"] > 1]
    assert several, "no service has more than one pod to begin with"
    service = min(several)

    async def all_ready() -> list[str]:
        wanted = (await kube.scaled(service))["spec"]["replicas"]
        ready = [pod["metadata"]["name"] for pod in await kube.ready_pods(service)]
        assert len(ready) == wanted >= 2, f"{len(ready)} of {wanted} pods of {service} are ready"
        path = f"apis/policy/v1/namespaces/{kube.namespace}/poddisruptionbudgets/{service}"
        allowed = (await kube.get(path))["status"]["disruptionsAllowed"]
        assert allowed >= 1, f"the budget of {service} allows {allowed} disruptions"
        return ready

    first, *others = await eventually(all_ready, within=REPLACED_WITHIN)
    assert (await kube.evict(first)).status_code == 201
    for other in others:
        refused = await kube.evict(other)
        assert refused.status_code == 429, f"{other} was let go right after {first}: {refused.text}"
        assert "disruption budget" in refused.text

    async def ready() -> set[str]:
        return {pod["metadata"]["name"] for pod in await kube.ready_pods(service)}

    async def let_go() -> set[str]:
        before = await ready()
        answer = await kube.evict(others[0])
        assert answer.status_code == 201, f"{answer.status_code}: {answer.text}"
        return before | await ready()

    # It was let go because another had become ready: there was never a moment without one.
    seen = await eventually(let_go, within=REPLACED_WITHIN, every=0.5)
    assert seen - {first, others[0]}, f"none but those that go is ready: {seen}"
    await eventually(all_ready, within=REPLACED_WITHIN)
