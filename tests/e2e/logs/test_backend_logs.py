"""What the backend logged is what Loki has, line by line."""

import json
from collections.abc import Iterable
from datetime import datetime

import pytest
from tests.e2e.logs.story import READS, Story
from tests.e2e.support import eventually, problem

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.loki.client import LokiLogs
from sluice.ports import LogLine
from sluice.steps.run_suites import SuiteContext

pytestmark = pytest.mark.anyio

LABELS = {"namespace", "service", "pod", "container", "level"}
FIELDS = ["timestamp", "level", "service", "message", "request_id", "user_id", "trace_id"]


@pytest.mark.smoke
async def test_a_request_is_found_by_its_id_with_its_user(story: Story, loki: LokiLogs, stream: str) -> None:
    request_id = story.created.request.headers["X-Request-ID"]
    query = f'{{{stream}}} | json | request_id="{request_id}" | message="request served"'

    async def found() -> LogLine:
        lines = await loki.lines(query, **story.window)
        assert len(lines) == 1, f"{query} gives {len(lines)} lines"
        return lines[0]

    labels = (await eventually(found, within=story.patience)).labels
    told = {name: labels[name] for name in ("user_id", "method", "route", "status", "level")}
    expected = {
        "user_id": story.user,
        "method": "POST",
        "route": "/api/v1/tasks",
        "status": "201",
        "level": "INFO",
    }
    assert told == expected


@pytest.mark.smoke
async def test_not_one_line_is_missing_or_doubled(story: Story, loki: LokiLogs, stream: str) -> None:
    query = f'{{{stream}}} | json | user_id="{story.user}" | message="request served"'

    async def all_there() -> None:
        lines = await loki.lines(query, **story.window)
        logged = sorted(line.labels["request_id"] for line in lines)
        assert logged == sorted(story.request_ids), f"{len(logged)} lines for {len(story.request_ids)} requests"

    assert len(story.request_ids) == READS + 2
    await eventually(all_there, within=story.patience)


async def test_a_provoked_error_is_found_by_level_and_by_text(story: Story, loki: LokiLogs) -> None:
    query = f'{{level="ERROR"}} |= "{story.marker}"'

    async def found() -> tuple[LogLine, ...]:
        lines = await loki.lines(query, **story.window)
        assert lines, f"{query} gives no line"
        return lines

    lines = await eventually(found, within=story.patience)
    assert len(lines) == 1, [line.text for line in lines]
    error = json.loads(lines[0].text)
    assert (error["request_id"], error["user_id"]) == (
        story.failed.request.headers["X-Request-ID"],
        story.user,
    )
    assert "ProvokedError" in error["traceback"]


async def test_an_error_tells_its_cause_to_the_log_and_not_to_the_caller(story: Story) -> None:
    problem(story.failed, 500)
    assert story.marker not in story.failed.text


def services_of(lines: Iterable[LogLine]) -> set[str]:
    return {line.labels["service"] for line in lines}


async def test_what_a_user_wrote_is_in_no_line_of_any_service(
    story: Story, loki: LokiLogs, context: SuiteContext
) -> None:
    task, everything = story.created.json(), f'{{namespace="{context.namespace}"}}'

    async def worked_on() -> tuple[LogLine, ...]:
        lines = await loki.lines(f'{everything} |= "{task["id"]}" |~ "event (published|handled)"', **story.window)
        # Each of them, and the publisher too: a line that has not come yet holds nothing.
        missing = {"audit", "backend", "notification", "recurring-task", "sync"} - services_of(lines)
        assert not missing, f"{sorted(missing)} have not logged that they worked on the task"
        return lines

    lines = await eventually(worked_on, within=story.patience)
    told = [line for line in lines if task["title"] in line.text]
    told += await loki.lines(f'{everything} |= "{task["title"]}"', **story.window)
    # Not the lines themselves: the evidence is read by people who are not to know what is in them either.
    assert not told, f"{len(told)} lines hold the title, of {sorted(services_of(told))}"


async def test_every_line_has_the_five_labels_and_the_seven_fields(story: Story, loki: LokiLogs, stream: str) -> None:
    async def found() -> tuple[LogLine, ...]:
        lines = await loki.lines(f'{{{stream}}} |= "{story.user}"', **story.window)
        assert len(lines) >= len(story.request_ids), f"{len(lines)} lines of {story.user}"
        return lines

    for line in await eventually(found, within=story.patience):
        empty = {name for name in LABELS if not line.labels.get(name)}
        assert not empty, f"{line.labels} lacks {empty}"
        fields = json.loads(line.text)
        assert list(fields)[: len(FIELDS)] == FIELDS
        assert (fields["level"], fields["service"]) == (line.labels["level"], line.labels["service"])
        logged = datetime.fromisoformat(fields["timestamp"])
        assert logged.utcoffset() is not None
        # Loki has the time at which the container runtime read the line.
        assert abs(logged.timestamp() - line.at) < 5


async def test_what_is_unbounded_is_no_label(story: Story, loki_http: ServiceProxy) -> None:
    async def names() -> set[str]:
        response = await loki_http.get("/loki/api/v1/labels")
        found = set(response.json()["data"])
        assert found >= LABELS, f"the labels are {sorted(found)}"
        return found

    assert not await eventually(names, within=story.patience) & {
        "request_id",
        "user_id",
        "trace_id",
        "filename",
    }


async def test_every_namespace_of_ours_is_logged(story: Story, loki: LokiLogs, context: SuiteContext) -> None:
    addresses = (*context.services.values(), context.prometheus, context.alertmanager, context.loki)
    expected = {address.namespace for address in addresses}

    async def all_there() -> None:
        counts = await loki.instant('sum by (namespace) (count_over_time({namespace=~".+"}[1h]))')
        logged = {series.labels["namespace"] for series in counts if series.points[0][1] > 0}
        missing = expected - logged
        assert not missing, f"Loki has no line of the last hour from {sorted(missing)}"

    await eventually(all_there, within=story.patience)
