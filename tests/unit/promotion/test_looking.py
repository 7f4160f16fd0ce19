"""What is known of a target: ledger, what runs, service level; what cannot be asked is said and hides nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.unit.fakes import FakeMetrics
from tests.unit.promotion.worlds import LOCAL, PLACE, WAY, World, fetched

from sluice import looking
from sluice.domain import Series
from sluice.errors import ChartError, EvidenceError, SignatureRefused
from sluice.looking import Status, history_of, status_of
from sluice.promotion.ledger import Entry
from sluice.release_tools import Place
from sluice.steps.fetch_release import Fetched

pytestmark = pytest.mark.anyio
BUDGET = "min by (service) (slo:period_error_budget_remaining:ratio)"
RUNS: dict[str, tuple[str, ...]] = {"default/api/api": (f"{PLACE.repository}/api@sha256:image-of-B",)}


@dataclass
class Seen:
    """Stands for target_tools.TargetTools, as far as one only looks."""

    entries: tuple[Entry, ...]
    runs: dict[str, tuple[str, ...]] = field(default_factory=lambda: RUNS)
    edits: list[str] | Exception = field(default_factory=list)
    refuses: Exception | None = None
    budgets: tuple[Series, ...] | Exception = ()
    place: Place = PLACE

    @property
    def ledger(self) -> "Seen":
        """Read here."""
        return self

    async def read(self) -> tuple[Entry, ...]:
        """All entries."""
        return self.entries

    async def fetch(self, place: Place, digest: str) -> Fetched:
        """The release, out of the target's own registry."""
        assert place == self.place
        if self.refuses:
            raise self.refuses
        return fetched(digest.removeprefix("sha256:"), place).at(self.place.repository)

    async def running(self) -> dict[str, tuple[str, ...]]:
        """What it was given."""
        return self.runs

    async def edited(self, release: Fetched) -> list[str]:
        """What it was given."""
        if isinstance(self.edits, Exception):
            raise self.edits
        return self.edits

    def metrics(self) -> Any:
        """A Prometheus that has the budgets."""
        given = self.budgets

        class Budgets(FakeMetrics):
            async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
                assert query == BUDGET
                if isinstance(given, Exception):
                    raise given
                return given

        return Budgets()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Seen:
    there = Seen(World(tmp_path).had("A").had("B").entries)

    @asynccontextmanager
    async def reach(*_: object) -> AsyncIterator[Seen]:
        yield there

    async def tools(*_: object) -> None:
        pass

    monkeypatch.setattr(looking, "reach", reach)
    monkeypatch.setattr(looking, "release_tools", tools)
    return there


async def status() -> Status:
    nothing: Any = None
    return await status_of(nothing, Path(), nothing, LOCAL)


async def test_what_runs_as_it_was_promoted(seen: Seen) -> None:
    seen.budgets = (Series({"service": "api"}, ((0.0, 1.0), (1.0, 0.25))), Series({"service": "idle"}, ()))
    assert await status() == Status("local", "B", 100.0, "Ada", "pass, 100", {"api": 0.25}, ())


async def test_what_runs_otherwise_and_what_was_edited(seen: Seen) -> None:
    seen.runs = {"default/api/api": (f"{PLACE.repository}/api@sha256:other",)}
    seen.edits = ["api: Service api was edited"]
    found = await status()
    assert found.drift == ("api runs as sha256:other, not sha256:image-of-B", "api: Service api was edited")


@pytest.mark.parametrize("promoted", [True, False])
async def test_what_did_not_come_to_its_end_is_said(seen: Seen, tmp_path: Path, promoted: bool) -> None:
    world = World(tmp_path).had("B") if promoted else World(tmp_path)
    seen.entries = world.had("C", *WAY[:2]).entries
    found = await status()
    assert (found.release, found.under_way) == ("B" if promoted else "", "C is copied")


async def test_nothing_was_promoted_yet(seen: Seen) -> None:
    seen.entries = ()
    assert await status() == Status("local", "", 0.0, "", "", {}, ())


async def test_a_release_that_its_key_refuses_is_said_and_the_rest_is_known(seen: Seen) -> None:
    seen.refuses = SignatureRefused("not signed", signed=False, seen="nothing")
    seen.budgets = (Series({"service": "api"}, ((0.0, 0.5),)),)
    found = await status()
    assert (found.release, found.verdict, found.budgets) == ("B", "unknown", {"api": 0.5})
    assert found.drift == ("its release cannot be checked: not signed: nothing",)


@pytest.mark.parametrize("several", [False, True])
async def test_what_cannot_be_compared_does_not_hide_what_runs(seen: Seen, several: bool) -> None:
    broken = ChartError("helm does not answer", seen="timeout")
    seen.edits = ExceptionGroup("side by side", [broken]) if several else broken
    seen.runs = {}
    found = await status()
    assert found.drift == ("nothing runs api", "its release cannot be checked: helm does not answer: timeout")


async def test_a_prometheus_that_does_not_answer_costs_the_budgets_only(seen: Seen) -> None:
    seen.budgets = EvidenceError("no answer")
    found = await status()
    assert (found.budgets, found.drift) == ({}, ())


async def test_history_is_the_ledger(seen: Seen) -> None:
    nothing: Any = None
    assert await history_of(nothing, Path(), nothing, LOCAL) == seen.entries
