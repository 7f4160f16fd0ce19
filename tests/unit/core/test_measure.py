"""measure: dashboards are collected before the evidence that lists their files, and only where there is a cluster."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio.lowlevel
import pytest

from sluice.domain import Cluster, SuiteResults
from sluice.errors import NotReady
from sluice.pipeline import SoFar, measure
from sluice.settings import Settings

pytestmark = pytest.mark.anyio

SETTLED = SuiteResults(0, 3, (), 0)
GATHERED = SuiteResults(0, 2, (), 1)  # what comes of gathering: the results, with the names of bundles
CLUSTER = Cluster("c", "/kubeconfig", "r", "node", "1", True)


class FakeRun:
    """Takes each step, and keeps their names."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def step(
        self, name: str, work: Callable[[], Awaitable[Any]], *, deadline_seconds: float, detail: str = ""
    ) -> Any:
        self.taken.append(name)
        return await work()


@dataclass
class FakeJudge:
    """Keeps what it was asked."""

    asked: list[tuple[str, object]] = field(default_factory=list)

    async def settled(self, results: object) -> object:
        self.asked.append(("settled", results))
        await anyio.lowlevel.checkpoint()
        return SETTLED if results else None

    async def gather_failure(self, results: object, failures: object) -> object:
        self.asked.append(("failure", failures))
        return GATHERED

    async def collect_dashboards(self, results: object) -> None:
        self.asked.append(("dashboards", results))

    async def collect_evidence(self, *given: object) -> str:
        self.asked.append(("evidence", given[3]))
        return "evidence"


@dataclass
class FakeTools:
    """Settings and a judge."""

    settings: Settings = field(default_factory=Settings)
    judge: FakeJudge = field(default_factory=FakeJudge)


async def measured(so_far: SoFar) -> tuple[list[str], list[tuple[str, object]]]:
    run, tools = FakeRun(), FakeTools()
    assert await measure(run, tools, so_far) == "evidence"  # type: ignore[arg-type, comparison-overlap]
    return run.taken, tools.judge.asked


async def test_dashboards_come_before_the_evidence_and_while_the_last_scrape_is_awaited() -> None:
    results = SuiteResults(0, 1, (), 0)
    taken, asked = await measured(SoFar(cluster=CLUSTER, results=results))
    assert taken == ["await last scrape", "collect dashboards", "collect evidence"]
    assert asked == [("settled", results), ("dashboards", results), ("evidence", SETTLED)]


async def test_a_run_that_broke_shows_what_there_is() -> None:
    taken, asked = await measured(SoFar(cluster=CLUSTER, failures=["a failure"]))
    assert taken == ["await last scrape", "collect dashboards", "gather failure", "collect evidence"]
    assert asked == [
        ("settled", None),
        ("dashboards", None),
        ("failure", ("a failure",)),
        ("evidence", GATHERED),
    ]


async def test_evidence_comes_of_dashboards_that_cannot_be_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    async def late(*_: object) -> None:
        raise NotReady("collect dashboards", seen="a slow panel", expected="an end")

    monkeypatch.setattr(FakeJudge, "collect_dashboards", late)
    taken, asked = await measured(SoFar(cluster=CLUSTER, results=SuiteResults(0, 1, (), 0)))
    assert taken[-1] == "collect evidence"
    assert asked[-1] == ("evidence", SETTLED)


async def test_without_a_cluster_there_is_nothing_to_show() -> None:
    taken, _ = await measured(SoFar(failures=["no engine"]))
    assert taken == ["gather failure", "collect evidence"]
