"""Every page: a real Loki can read the LogQL that it shows."""

from collections.abc import Iterator

import httpx
import pytest
from tests.charts.rendering import Helm
from tests.contract.loki.conftest import charted
from tests.unit.docs.pages import every_page
from tests.unit.docs.queries import queries


@pytest.fixture(scope="module")
def client(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        charted(helm, tmp_path_factory.mktemp("loki")).run() as url,
        httpx.Client(base_url=url, trust_env=False, timeout=30) as one,
    ):
        yield one


def refusal(client: httpx.Client, query: str) -> str:
    """What Loki's parser says against a query; empty where it reads it."""
    answer = client.get("/loki/api/v1/format_query", params={"query": query})
    return "" if answer.status_code == 200 else answer.text


def test_loki_reads_every_query_of_every_page(client: httpx.Client) -> None:
    shown = [one for page in every_page() for one in queries(page, "logql")]
    assert len(shown) > 60
    assert {one.where: said for one in shown if (said := refusal(client, one.text))} == {}


@pytest.mark.parametrize("query", ['{service="backend"} | jsn', 'sum by (a (rate({service="backend"}[5m]))', "{"])
def test_what_loki_cannot_read_is_found(client: httpx.Client, query: str) -> None:
    assert "parse error" in refusal(client, query)
