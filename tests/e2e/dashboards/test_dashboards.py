"""Every panel and every variable of every dashboard is asked on the live cluster, and has an answer or a reason."""

from pathlib import Path

import httpx
import pytest
from tests.e2e.dashboards.asking import RATE, STEP, WINDOW, Live
from tests.e2e.dashboards.silent import reason
from tests.e2e.support import eventually

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.query_api import ask
from sluice.dashboards import FOLDER, Dashboard, Panel, Query, Variable, fill, label_values, load_dashboards
from sluice.steps.run_suites import SuiteContext

# After the others: what they did is to be seen, too. It reads, and what is installed meanwhile is in no panel's way.
pytestmark = [pytest.mark.anyio, pytest.mark.last, pytest.mark.beside]

DASHBOARDS = load_dashboards(Path(__file__).parents[3] / FOLDER)
QUERIES = [
    pytest.param(dashboard, panel, query, id=f"{dashboard.uid}-{panel.title}-{query.ref}")
    for dashboard in DASHBOARDS
    for panel in dashboard.panels
    for query in panel.queries
]
VARIABLES = [
    pytest.param(dashboard, variable, id=f"{dashboard.uid}-{variable.name}")
    for dashboard in DASHBOARDS
    for variable in dashboard.variables
    if variable.kind == "query"
]


@pytest.mark.parametrize(("dashboard", "panel", "query"), QUERIES)
async def test_a_panels_query_has_data_or_a_reason(
    live: Live, dashboard: Dashboard, panel: Panel, query: Query
) -> None:
    await live.check(dashboard, panel, query, reason(dashboard, panel, query))


@pytest.mark.parametrize(("dashboard", "variable"), VARIABLES)
async def test_a_variable_has_something_to_choose_from(
    live: Live, context: SuiteContext, api_server: httpx.AsyncClient, dashboard: Dashboard, variable: Variable
) -> None:
    """As Grafana asks: by the servers' own lists of a label's values."""
    given, label = label_values(variable)
    selector = fill(given, live.values(dashboard), window=WINDOW, step=STEP, rate=RATE)
    if variable.language == "logql":
        address, path, name = context.loki, f"/loki/api/v1/label/{label}/values", "query"
    else:
        address, path, name = context.prometheus, f"/api/v1/label/{label}/values", "match[]"
    server = ServiceProxy(api_server, address.namespace, address.name, address.port)
    params = {name: selector} if selector else {}

    async def choices() -> list[str]:
        found: list[str] = await ask(server, path, params, server=address.name, query=path)
        assert found, f"{dashboard.uid}: the variable {variable.name} has no choices: {variable.query}"
        return found

    found = await eventually(choices, within=30)
    if variable.name == "namespace":
        assert context.namespace in found
    if variable.name == "service":
        assert set(context.services) & set(found), f"{found} has none of {sorted(context.services)}"
