"""One story for the whole suite."""

from collections.abc import Callable

import pytest
from tests.e2e.logs.story import Story, tell
from tests.e2e.support import Clients

from sluice.steps.run_suites import SuiteContext


@pytest.fixture(scope="session")
def stream(context: SuiteContext) -> str:
    """The backend's streams in Loki: its own container's, which has its name, and not the sidecar's."""
    address = context.services["backend"]
    return f'namespace="{address.namespace}", service="{address.name}", container="{address.name}"'


@pytest.fixture(scope="session")
async def told(clients: Clients) -> Story:
    """The story, told once."""
    return await tell(clients)


@pytest.fixture
def story(told: Story, note_request: Callable[[str], None]) -> Story:
    """The story, its requests noted with the test that looks at it."""
    for request_id in told.request_ids:
        note_request(request_id)
    return told
