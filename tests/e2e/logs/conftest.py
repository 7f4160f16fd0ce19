"""One story for the whole suite."""

from collections.abc import Callable

import pytest
from tests.e2e.logs.story import Story, tell

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.steps.run_suites import SuiteContext


@pytest.fixture(scope="session")
def stream(context: SuiteContext) -> str:
    """The backend's streams in Loki."""
    address = context.services["backend"]
    return f'namespace="{address.namespace}", service="{address.name}"'


@pytest.fixture(scope="session")
async def told(backend_proxy: ServiceProxy) -> Story:
    """The story, told once."""
    return await tell(backend_proxy)


@pytest.fixture
def story(told: Story, note_request: Callable[[str], None]) -> Story:
    """The story, its requests noted with the test that looks at it."""
    for request_id in told.request_ids:
        note_request(request_id)
    return told
