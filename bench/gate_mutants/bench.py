"""The loop: a copy of the tree, the change, a run, what came of it; and at the end the good release again."""

import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from bench.gate_mutants import results
from bench.gate_mutants.faults import Change, apply, edited, fingerprint, prepare
from bench.gate_mutants.judged import Judged, judge
from bench.gate_mutants.results import Kind, Result
from tests.e2e.extension.tree import copy_tree

GOOD = Change("unchanged", "nothing")
# So many healthy releases go first: the gate compares with them, as release/policy.toml needs it.
FIRST_HEALTHY = 3
# What a run keeps of a release that passed, and the next one compares with: of healthy ones it goes to the next copy.
_PASSED = Path(".sluice", "baselines")
# Of a run's folder, what somebody who was not there needs: everything but what the cluster could be rebuilt from.
_LEFT_BEHIND = ("work",)


class Runs(Protocol):
    """Knows how to run the line and the checks: running.Line, or a stand-in."""

    @property
    def suites(self) -> tuple[str, ...]:
        """What all are judged by."""
        ...

    def run(self, tree: Path, log: Path, *, suites: Sequence[str] = ()) -> Path | None:
        """Deploy and judge a tree; the run's folder."""
        ...

    def check(self, tree: Path, log: Path, junit: Path) -> Judged:
        """Run the checks that need no cluster."""
        ...


@dataclass(frozen=True)
class Task:
    """One release to judge."""

    change: Change
    kind: Kind


def part(mutants: Sequence[Change], shard: str) -> list[Change]:
    """Return the Nth of M parts of the mutants, for `N/M`; all of them where it is empty. Raises ValueError."""
    if not shard:
        return list(mutants)
    number, _, parts = shard.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise ValueError(f"--shard {shard}: expected N/M, such as 2/4")
    return list(mutants[int(number) - 1 :: int(parts)])


def plan(mutants: Sequence[Change], healthy: Sequence[Change], seed: int) -> list[Task]:
    """Put releases in an order that the seed gives: healthy ones first, then spread among the mutants."""
    chance = random.Random(seed)
    mixed = [Task(change, "check" if change.by == "checks" else "mutant") for change in mutants]
    mixed += [Task(change, "healthy") for change in healthy[FIRST_HEALTHY:]]
    chance.shuffle(mixed)
    return [*(Task(change, "healthy") for change in healthy[:FIRST_HEALTHY]), *mixed]


@dataclass
class Bench:
    """Judges releases one after the other. `out` gets a folder for each, and results.jsonl."""

    root: Path
    out: Path
    line: Runs
    say: Callable[[str], None] = print
    on_cluster: str = field(default="", init=False)

    @property
    def file(self) -> Path:
        """Where the results are."""
        return self.out / "results.jsonl"

    def begin_anew(self) -> None:
        """Put the results of before aside, and forget the releases that passed then."""
        self.file.rename(self.file.with_suffix(f".{int(time.time())}.jsonl"))
        shutil.rmtree(self.out / _PASSED.name, ignore_errors=True)

    def go_on_from(self, kept: Path, tasks: Sequence[Task]) -> None:
        """Take over the results that were committed where this checkout has none of its own.

        The healthy releases that go first are run again: what the gate compared with stayed on the machine of then.
        One of them that did not pass keeps its result.
        """
        if self.file.exists():
            return
        first = [task.change.name for task in tasks if task.kind == "healthy"][:FIRST_HEALTHY]
        for one in results.read(kept):
            if one.name not in first or one.judged.outcome != "passed":
                results.append(self.file, one)

    def work(self, tasks: Sequence[Task]) -> None:
        """Judge each task; whatever ends this, the good release is put back where another one was deployed.

        Raises DoesNotFit before anything is deployed where the tree has drifted.
        """
        for task in tasks:
            edited(task.change, self.root)
        tree = fingerprint(self.root)
        try:
            for number, task in enumerate(tasks, 1):
                self.say(f"[{number}/{len(tasks)}] {task.kind} {task.change.name}: {task.change.what}")
                result = self.one(task, tree)
                results.append(self.file, result)
                self.say(f"  {told(result)}")
        finally:
            self.restore()

    def one(self, task: Task, tree_name: str) -> Result:
        """Make a release, run it and keep what it left."""
        folder = self.out / task.change.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        began = time.time()
        with self._tree(task) as tree:
            if task.kind == "check":
                judged = self._checked(task, tree, folder)
            else:
                self.on_cluster = task.change.name
                ran = self._kept(self.line.run(tree, folder / "line.log"), folder)
                judged = judge(ran, task.change, healthy=task.kind == "healthy")
                if judged.outcome == "passed" and (tree / _PASSED).is_dir():
                    shutil.copytree(tree / _PASSED, self.out / _PASSED.name, dirs_exist_ok=True)
        return Result(
            name=task.change.name,
            kind=task.kind,
            what=task.change.what,
            judged=judged,
            run_seconds=round(time.time() - began, 1),
            at=began,
            tree=tree_name,
            suites=self.line.suites if task.kind != "check" else (),
            unseen=task.change.unseen,
        )

    def restore(self) -> None:
        """Put the good release back, unless it is there or nothing was deployed."""
        if self.on_cluster in ("", GOOD.name):
            return
        self.say("the good release is put back (Ctrl-C leaves the cluster as it is)")
        with self._tree(Task(GOOD, "healthy")) as tree:
            self.line.run(tree, self.out / "restore.log", suites=self.line.suites[:1])
        self.on_cluster = GOOD.name

    def _checked(self, task: Task, tree: Path, folder: Path) -> Judged:
        judged = self.line.check(tree, folder / "checks.log", folder / "junit.xml")
        if judged.outcome != "caught":
            return judged
        expected = any(part in judged.first for part in task.change.expect)
        return replace(judged, found=judged.first) if expected else replace(judged, outcome="caught by chance")

    @contextmanager
    def _tree(self, task: Task) -> Iterator[Path]:
        """A copy with a change, committed like any release: of an edited tree the gate would keep nothing."""
        with tempfile.TemporaryDirectory(prefix="sluice-mutant-") as scratch:
            tree = Path(scratch) / "tree"
            copy_tree(self.root, tree)
            if task.kind != "check":
                prepare(tree, self.line.suites)
            apply(task.change, tree)
            commit(tree, task.change.name)
            if (self.out / _PASSED.name).is_dir():
                shutil.copytree(self.out / _PASSED.name, tree / _PASSED)
            yield tree

    def _kept(self, ran: Path | None, folder: Path) -> Path | None:
        if ran is None:
            return None
        target = folder / ran.name
        shutil.copytree(ran, target, ignore=shutil.ignore_patterns(*_LEFT_BEHIND))
        with suppress(OSError):
            (folder / "latest").symlink_to(ran.name)
        return target


def commit(tree: Path, message: str) -> None:
    """Make a repository of a copy, with all of it in one commit."""
    whoever = ("-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "--quiet"), ("add", "--all"), (*whoever, "commit", "--quiet", "--message", message)):
        subprocess.run(["git", "-C", str(tree), *words], check=True, stdout=subprocess.DEVNULL)


def told(result: Result) -> str:
    """What came of a release, in a line."""
    judged = result.judged
    by = f" by {judged.found or judged.first}" if judged.first else ""
    after = f", verdict after {judged.to_verdict:.0f} s" if judged.to_verdict else ""
    reason = f": {judged.reason[:200]}" if judged.outcome in ("missed", "failed", "not judged") else ""
    return f"{judged.outcome.upper()}{by}{after} (all of it {result.run_seconds:.0f} s){reason}"
