"""The queries that everybody begins with, and that runbooks and dashboards are made of."""

import time
from collections.abc import Callable

import pytest
from tests.e2e.kube import Kube
from tests.e2e.logs.story import Story
from tests.e2e.support import SHIPPED_WITHIN, SKEW_SECONDS, Clients, eventually
from tests.e2e.users import Signer
from tests.e2e.websocket.listening import Sync

from sluice.adapters.loki.client import LokiLogs
from sluice.ports import LogLine
from sluice.steps.run_suites import SuiteContext

pytestmark = pytest.mark.anyio

USER = "123"


async def found(loki: LokiLogs, query: str, since: float, patience: float) -> tuple[LogLine, ...]:
    """What a query gives since a time, once it gives anything."""

    async def some() -> tuple[LogLine, ...]:
        lines = await loki.lines(query, start=since - SKEW_SECONDS, end=time.time() + SKEW_SECONDS)
        assert lines, f"{query} gives no line"
        return lines

    return await eventually(some, within=patience)


async def test_a_service_by_its_namespace_and_name(story: Story, loki: LokiLogs) -> None:
    lines = await found(loki, '{namespace="default", service="backend"}', story.since, story.patience)
    assert {(line.labels["namespace"], line.labels["service"]) for line in lines} == {("default", "backend")}


async def test_errors_of_everybody_by_their_level(story: Story, loki: LokiLogs) -> None:
    query = '{level="ERROR"}'

    async def the_provoked_one() -> tuple[LogLine, ...]:
        lines = await loki.lines(query, **story.window, limit=5000)
        assert any(story.marker in line.text for line in lines), f"{len(lines)} lines, and not the one with the marker"
        return lines

    lines = await eventually(the_provoked_one, within=story.patience)
    assert {line.labels["level"] for line in lines} == {"ERROR"}


async def test_websocket_connections_by_a_word_of_theirs(
    loki: LokiLogs, context: SuiteContext, kube: Kube, signer: Signer, user: str
) -> None:
    since = time.time()
    async with Sync(kube, context.services["sync"], signer).connection(token=signer.token(user)):
        lines = await found(loki, '{namespace="default", service="sync"} |= "WebSocket"', since, SHIPPED_WITHIN)
    assert all("WebSocket" in line.text for line in lines)


async def test_what_one_user_did_by_a_field_of_the_line(
    loki: LokiLogs, clients: Clients, note_request: Callable[[str], None]
) -> None:
    since = time.time()
    listed = await clients.backend(USER, note_request).request("GET", "/api/v1/tasks")
    assert listed.status_code == 200
    asked = listed.request.headers["X-Request-ID"]
    query = f'{{namespace="default", service="backend"}} | json | user_id="{USER}"'

    async def the_request() -> tuple[LogLine, ...]:
        lines = await loki.lines(query, start=since - SKEW_SECONDS, end=time.time() + SKEW_SECONDS)
        assert asked in {line.labels["request_id"] for line in lines}, f"{len(lines)} lines, none of {asked}"
        return lines

    lines = await eventually(the_request, within=SHIPPED_WITHIN)
    assert {line.labels["user_id"] for line in lines} == {USER}
