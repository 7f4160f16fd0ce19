"""A run that is told to stop: what its suites had got to is judged, not thrown away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from sluice import pipeline
from sluice.adapters.signals import Stopped
from sluice.domain import SuiteResults

pytestmark = pytest.mark.anyio

SO_FAR = SuiteResults(0, 1, (), -2)
WHOLE = SuiteResults(0, 2, (), 0)


@asynccontextmanager
async def stopped_at_once() -> AsyncIterator[Stopped]:
    stopped = Stopped()
    stopped.scope.cancel()
    stopped.reason = "stopped by SIGTERM"
    yield stopped


@pytest.mark.parametrize("known", [None, WHOLE])
async def test_what_suites_had_got_to_is_judged(monkeypatch: pytest.MonkeyPatch, known: SuiteResults | None) -> None:
    asked: list[str] = []
    judged: list[pipeline.SoFar] = []

    async def deliver(_run: object, _tools: object, so_far: pipeline.SoFar) -> None:
        so_far.results = known
        await anyio.sleep_forever()

    async def conclude(_run: object, _tools: object, so_far: pipeline.SoFar) -> None:
        judged.append(so_far)

    async def leave_cluster() -> None:
        return

    def results_so_far(reason: str) -> SuiteResults:
        asked.append(reason)
        return SO_FAR

    monkeypatch.setattr(pipeline, "deliver", deliver)
    monkeypatch.setattr(pipeline, "conclude", conclude)
    judge = SimpleNamespace(begin=lambda: None, results_so_far=results_so_far)
    tools: Any = SimpleNamespace(judge=judge, stopped_by_signal=stopped_at_once, leave_cluster=leave_cluster)
    run: Any = SimpleNamespace()
    await pipeline.e2e(run, tools)
    (so_far,) = judged
    assert so_far.failures == ["stopped by SIGTERM"]
    assert so_far.results == (known or SO_FAR)
    assert asked == ([] if known else ["the run was stopped by SIGTERM"])
