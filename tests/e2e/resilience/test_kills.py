"""Every service, broker, database, Loki and Prometheus are killed once under load: nothing acknowledged is lost."""

import os
from pathlib import Path

import pytest
from tests.e2e.effects import assert_once
from tests.e2e.resilience.aftermath import Aftermath, programs, served
from tests.e2e.support import SHIPPED_WITHIN, eventually

from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.domain import load
from sluice.steps.run_suites import CONTEXT_VARIABLE, SuiteContext

pytestmark = [pytest.mark.anyio, pytest.mark.disturbing]

# Sidecars look for a broker that was away, and for messages that nobody acknowledged, with pauses of up to 10 s.
CAUGHT_UP_WITHIN = 60.0
LEAST_TASKS = 50
# Of a request that was answered in its pod's last second the line may not have been written.
LAST_LINES_SECONDS = 1.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each program; without a context there is none, and the fixture `context` says what to do."""
    if "program" in metafunc.fixturenames:
        path = os.environ.get(CONTEXT_VARIABLE)
        metafunc.parametrize("program", programs(load(SuiteContext, Path(path))) if path else [])


async def test_what_is_killed_works_again_in_time(aftermath: Aftermath, program: str) -> None:
    found = aftermath.kills[program]
    assert not found.wrong, f"{program}: {found.wrong}"


async def test_no_task_that_was_taken_is_lost(aftermath: Aftermath) -> None:
    taken = {one.task for one in aftermath.load.taken}
    assert len(taken) >= LEAST_TASKS, f"{len(taken)} tasks were taken, which says little"
    there = {task["id"] for task in await aftermath.effects.tasks()}
    assert taken <= there, f"{len(taken - there)} of {len(taken)} tasks are gone"


async def test_sync_numbers_every_task_once_without_a_gap(aftermath: Aftermath) -> None:
    async def there() -> None:
        changes = await aftermath.effects.changes()
        tasks = sorted(task["id"] for task in await aftermath.effects.tasks())
        assert sorted(task for _, _, task in changes) == tasks, f"{len(changes)} changes of {len(tasks)} tasks"
        assert [number for number, _, _ in changes] == list(range(1, len(changes) + 1))

    await eventually(there, within=CAUGHT_UP_WITHIN, every=1)


@pytest.mark.parametrize("consumer", ["audit", "notification"])
async def test_every_event_arrives_once(aftermath: Aftermath, consumer: str) -> None:
    effects = aftermath.effects
    seen_by = {"audit": effects.created, "notification": effects.deliveries}[consumer]

    async def there() -> None:
        tasks = [task["id"] for task in await effects.tasks()]
        assert_once(await seen_by(), tasks, where=consumer)

    await eventually(there, within=CAUGHT_UP_WITHIN, every=1)


async def test_the_lines_of_all_requests_are_in_loki(
    aftermath: Aftermath, loki: LokiLogs, context: SuiteContext
) -> None:
    killed = aftermath.kills.get("backend")
    last = killed.at - LAST_LINES_SECONDS if killed else 0.0
    taken = aftermath.load.taken
    kept = {
        one.request_id for one in taken if not killed or not last <= one.answered_at <= killed.at + LAST_LINES_SECONDS
    }

    async def there() -> None:
        lines = await served(loki, context, aftermath.load, taken[0].at)
        missing = kept - set(lines)
        assert not missing, f"{len(missing)} of {len(kept)} requests have no line"
        assert len(lines) == len(set(lines)), f"{len(lines) - len(set(lines))} lines are there twice"

    await eventually(there, within=SHIPPED_WITHIN, every=1)


async def test_prometheus_has_what_was_before_it_was_killed(
    aftermath: Aftermath, prometheus: PrometheusMetrics, context: SuiteContext
) -> None:
    before = aftermath.kills[context.prometheus.name].at - 10
    series = await prometheus.instant(f'up{{namespace="{context.namespace}"}}', at=before)
    assert set(context.services) <= {one.labels.get("service") for one in series}
