"""The suite's own way to the broker, and the readers of what became of it."""

from collections.abc import Callable

import pytest
from tests.e2e.effects import Effects
from tests.e2e.events.publishing import Sidecar
from tests.e2e.kube import Kube
from tests.e2e.support import Backend, Client, Clients

TASKS = "tasks"


@pytest.fixture(scope="session")
def sidecar(kube: Kube) -> Sidecar:
    """The sidecar of the backend, whose events these are."""
    return Sidecar(kube, "backend")


@pytest.fixture
def effects(backend: Backend, client: Callable[..., Client]) -> Effects:
    """What became of this test's user's events."""
    return Effects.of(backend, client)


@pytest.fixture(scope="session")
async def consumers(clients: Clients) -> tuple[str, ...]:
    """The services that consume tasks' events, as each of them tells its own sidecar."""
    found = []
    for name, proxy in clients.proxies.items():
        answer = await proxy.get("/dapr/subscribe")
        if answer.status_code == 200 and any(one["topic"] == TASKS for one in answer.json()):
            found.append(name)
    assert found, "no service consumes tasks' events"
    return tuple(sorted(found))
