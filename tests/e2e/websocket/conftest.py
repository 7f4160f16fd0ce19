"""sync's WebSocket, for every test of the suite."""

import pytest
from tests.e2e.kube import Kube
from tests.e2e.users import Signer
from tests.e2e.websocket.listening import Sync

from sluice.steps.run_suites import SuiteContext


@pytest.fixture(scope="session")
def sync(context: SuiteContext, kube: Kube, signer: Signer) -> Sync:
    """sync's WebSocket."""
    return Sync(kube, context.services["sync"], signer)
