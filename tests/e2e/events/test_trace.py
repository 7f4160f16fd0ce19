"""One request's event is followed through every service by its trace id, with one query."""

import secrets
import time

import pytest
from tests.e2e.support import SHIPPED_WITHIN, SKEW_SECONDS, Backend, eventually

from sluice.adapters.loki.client import LokiLogs
from sluice.ports import LogLine
from sluice.steps.run_suites import SuiteContext

pytestmark = [pytest.mark.anyio, pytest.mark.smoke]


async def test_an_event_is_followed_in_the_logs_of_all_services_by_one_trace_id(
    backend: Backend, consumers: tuple[str, ...], loki: LokiLogs, context: SuiteContext
) -> None:
    assert set(consumers) >= {"audit", "notification", "recurring-task", "sync"}
    trace, since = secrets.token_hex(16), time.time() - SKEW_SECONDS
    task = await backend.create(headers={"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"})
    query = f'{{namespace="{context.namespace}"}} | json | trace_id="{trace}"'

    async def everywhere() -> tuple[LogLine, ...]:
        lines = await loki.lines(query, start=since, end=time.time() + SKEW_SECONDS)
        missing = {"backend", *consumers} - {line.labels["service"] for line in lines}
        assert not missing, f"{query} gives {len(lines)} lines, and none of {sorted(missing)}"
        return lines

    lines = await eventually(everywhere, within=SHIPPED_WITHIN)
    handled = [line for line in lines if line.labels.get("message") == "event handled"]
    assert {line.labels["service"] for line in handled} == set(consumers)
    assert {line.labels["task_id"] for line in handled} == {task["id"]}
    # One event, and the same one everywhere.
    assert len({line.labels["event_id"] for line in handled}) == 1
