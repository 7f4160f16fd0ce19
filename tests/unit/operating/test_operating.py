"""What is asked of a target: its ledger, its releases' revisions and this tree's git; its events of earlier runs."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.core.support import git
from tests.unit.delivery.books import DAY, Book
from tests.unit.promotion.worlds import LOCAL, PLACE

from sluice import operating
from sluice.delivery.figures import Figures
from sluice.errors import ClusterError, SignatureRefused
from sluice.incident.window import Window
from sluice.operating import delivery_of, incident_of
from sluice.ports import ClusterEvent
from sluice.promotion.ledger import Entry
from sluice.release_tools import Place
from sluice.steps.cluster_text import event_line

pytestmark = pytest.mark.anyio


@dataclass
class There:
    """Stands for target_tools.TargetTools: a ledger, and releases by their digests with their revisions."""

    entries: tuple[Entry, ...] = ()
    revisions: dict[str, str | Exception] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    place: Place = PLACE
    client: Any = None

    @property
    def ledger(self) -> "There":
        """Read here."""
        return self

    async def read(self) -> tuple[Entry, ...]:
        """All entries."""
        return self.entries

    async def fetch(self, place: Place, digest: str) -> Any:
        """A release of that revision."""
        assert place == self.place
        self.fetched.append(digest)
        found = self.revisions[digest]
        if isinstance(found, Exception):
            raise found
        return SimpleNamespace(release=SimpleNamespace(revision=found))

    async def secrets(self) -> list[str]:
        """They may not be read."""
        raise ClusterError("the API server refused secrets", seen="403")

    def metrics(self) -> Any:
        """Nobody answers."""
        return None

    alertmanager = logs = metrics


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> There:
    found = There()

    @asynccontextmanager
    async def reach(*_: object) -> AsyncIterator[There]:
        yield found

    async def tools(*_: object) -> None:
        pass

    monkeypatch.setattr(operating, "reach", reach)
    monkeypatch.setattr(operating, "release_tools", tools)
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    return tmp_path


@pytest.fixture
def commit(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], str]:
    """Make a commit that its committer made at a time, and its author long before."""

    def made(at: float) -> str:
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"@{at:.0f} +0000")
        monkeypatch.setenv("GIT_AUTHOR_DATE", "@1 +0000")
        git(tree, "commit", "--quiet", "--allow-empty", "--message", f"at {at:.0f}")
        return git(tree, "rev-parse", "HEAD")

    return made


Commit = Callable[[float], str]


async def figures(tree: Path, *, until: float = 10 * DAY) -> Figures:
    nothing: Any = SimpleNamespace(root=tree)
    return await delivery_of(nothing, tree, nothing, LOCAL, since=0.0, until=until)


async def test_commits_between_the_release_before_and_this_one_count(there: There, tree: Path, commit: Commit) -> None:
    first = commit(DAY)
    commit(2 * DAY)
    last = commit(3 * DAY)
    there.entries = Book().had("A", DAY + 1000).had("B", 4 * DAY).entries
    there.revisions = {"sha256:A": first, "sha256:B": last}
    found = await figures(tree)
    # Of A its own, 1180 s; of B two, a day and two and 180 s.
    assert (found.commits, found.lead_time, found.commits_unknown) == (3, DAY + 180, ())
    assert sorted(there.fetched) == ["sha256:A", "sha256:B"]


async def test_the_first_release_does_not_bring_all_of_history(there: There, tree: Path, commit: Commit) -> None:
    for day in (1, 2, 3):
        revision = commit(day * DAY)
    there.entries, there.revisions = Book().had("A", 4 * DAY).entries, {"sha256:A": revision}
    found = await figures(tree)
    assert (found.commits, found.lead_time) == (1, DAY + 180)


async def test_going_back_and_forth_brings_no_commit_twice(there: There, tree: Path, commit: Commit) -> None:
    first, last = commit(DAY), commit(2 * DAY)
    there.revisions = {"sha256:A": first, "sha256:B": last}
    there.entries = Book().had("A", DAY).had("B", 2 * DAY).had("B", 3 * DAY).entries
    assert (await figures(tree)).commits == 2
    there.entries = Book().had("B", DAY).had("A", 2 * DAY).entries  # an older one: nothing new in it
    assert (await figures(tree)).commits == 0


async def test_a_revision_that_git_does_not_have_is_named(there: There, tree: Path, commit: Commit) -> None:
    commit(DAY)
    there.entries, there.revisions = Book().had("A", DAY).entries, {"sha256:A": "0" * 40}
    found = await figures(tree)
    assert found.lead_time is None
    (said,) = found.commits_unknown
    assert said.startswith("id-A: git has not both revisions here: fatal: bad object")


async def test_a_release_that_its_key_refuses_is_named(there: There, tree: Path, commit: Commit) -> None:
    there.entries = Book().had("A", DAY).had("B", 2 * DAY).entries
    refused = SignatureRefused("not signed", signed=False, seen="nothing")
    there.revisions = {"sha256:A": commit(DAY), "sha256:B": ExceptionGroup("side by side", [refused])}
    found = await figures(tree)
    assert found.commits == 1
    assert found.commits_unknown == ("id-B: its release cannot be fetched: not signed: nothing",)


async def test_only_releases_that_count_are_fetched(there: There, tree: Path, commit: Commit) -> None:
    there.entries = Book().had("A", DAY).had("B", 2 * DAY, "planned", "copied", "failed").entries
    there.revisions = {"sha256:A": commit(DAY)}
    await figures(tree)
    assert there.fetched == ["sha256:A"]


async def test_a_promotion_that_is_under_way_is_said(there: There, tree: Path) -> None:
    there.entries = Book().had("A", DAY, "planned", "copied").entries
    found = await figures(tree)
    assert (found.deployments, found.under_way) == (0, "id-A is copied")


async def test_an_empty_ledger(there: There, tree: Path) -> None:
    assert (await figures(tree)).known_from is None


async def test_events_that_promotions_of_this_host_wrote_down_are_told(
    there: There, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = ClusterEvent(10_100.0, "tasks", "Pod", "b-1", True, "BackOff", "x")
    for promotion in ("p2", "somebody-elses"):
        folder = tmp_path / promotion / "failure"
        folder.mkdir(parents=True)
        (folder / "events.txt").write_text(event_line(event) if promotion == "p2" else "other\n", encoding="utf-8")

    class Forgetful:
        async def events(self, namespace: str = "") -> tuple[ClusterEvent, ...]:
            return ()

    monkeypatch.setattr(operating, "ApiWorkloads", lambda _: Forgetful())
    there.entries = Book().had("A", 0.0).had("B", 10_000.0, "planned", "copied", "rolled-back").entries
    run: Any = SimpleNamespace(folder=tmp_path / "this-one")
    nothing: Any = None
    found = await incident_of(nothing, tmp_path, run, LOCAL, Window(9_000.0, 11_000.0))
    assert [one.where for one in found.timeline if one.kind == "kubernetes"] == ["tasks/Pod/b-1"]
    assert found.missing[0].what == "what is secret on the target"
    assert "names and shapes only" in found.missing[0].why
