"""All services are rolled once both ways, by the first test that asks for it."""

import pytest
from tests.e2e.kube import Kube
from tests.e2e.support import Clients
from tests.e2e.tables import leave_table
from tests.e2e.upgrade.both_ways import Upgrade, both_ways, table
from tests.e2e.users import Signer

from sluice.steps.run_suites import SuiteContext


@pytest.fixture(scope="module")
async def upgrade(
    context: SuiteContext, kube: Kube, clients: Clients, signer: Signer, tmp_path_factory: pytest.TempPathFactory
) -> Upgrade:
    """What clients saw of both ways."""
    found = await both_ways(context, kube, clients, signer, tmp_path_factory.mktemp("helm"))
    leave_table(context, table(found))
    return found
