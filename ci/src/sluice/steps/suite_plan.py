"""Which of the suites' tests run, in which order, and which of them side by side: by the tests' own markers."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import SettingsError

SUITES_FOLDER = "tests/e2e"
TIMES = "times.json"  # of the suites' folder: seconds by file, so that shards of one revision agree wherever they run
# The order of tests that have one of these; the others are at 0, and stay as collected. Nothing of one place begins
# before everything of the place before it has ended.
PLACES = {
    "first": (-1, "runs before every test without it: it needs a system that nobody disturbed yet"),
    "disturbing": (1, "runs after every test without it: it takes away what others need"),
    "last": (2, "runs after those too: it changes what is installed, or looks at what all did"),
}
BESIDE, SMOKE, ONCE = "beside", "smoke", "once"
OTHERS = {
    BESIDE: "runs in a second process beside the others of its place: it shares nothing with them, and mostly waits",
    SMOKE: "is among the few that `--fast` runs",
    ONCE: "is not run again where it fails: what it looks at cannot be brought about again",
}
_UNKNOWN_SECONDS = 5.0
_NEXT = "./nox -s e2e -- --shard 1/2"

Lanes = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Test:
    """A test that was collected, with the names of its markers."""

    __test__ = False

    id: str
    marks: frozenset[str] = frozenset()

    @property
    def place(self) -> int:
        """When it runs."""
        return next((place for name, (place, _) in PLACES.items() if name in self.marks), 0)


@dataclass(frozen=True)
class Selection:
    """Which part of the tests is asked for: the smoke tests, the nth of several shards, or all of them."""

    smoke: bool = False
    shard: int = 1
    shards: int = 1

    def __str__(self) -> str:
        """The part in words; empty for all."""
        parts = ["smoke tests only"] if self.smoke else []
        return ", ".join([*parts, *([f"shard {self.shard} of {self.shards}"] if self.shards > 1 else [])])


ALL = Selection()


def selection_of(*, smoke: bool, shard: str) -> Selection:
    """Return what a command line asks for; `shard` is such as `2/3`, or empty. Raises SettingsError."""
    found = re.fullmatch(r"(\d{1,3})/(\d{1,3})", shard or "1/1")
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count:
        raise SettingsError(
            "the command line",
            [f"--shard {shard}: no part of a whole"],
            expected="--shard N/M with N from 1 to M, such as 2/3",
            next_command=_NEXT,
        )
    return Selection(smoke, number, count)


def file_of(test: str) -> str:
    """The file of a test id, as pytest names it."""
    return test.partition("::")[0]


def suite_of(test: str) -> str:
    """The suite of a test id: the folder below tests/e2e."""
    return file_of(test).removeprefix(SUITES_FOLDER + "/").partition("/")[0]


def read_times(root: Path) -> dict[str, float]:
    """Seconds by file, as the tree at `root` has them; empty where it has none."""
    path = root / SUITES_FOLDER / TIMES
    return (
        {str(file): float(seconds) for file, seconds in json.loads(path.read_text(encoding="utf-8")).items()}
        if (path.is_file())
        else {}
    )


def selected(tests: Sequence[Test], selection: Selection, times: Mapping[str, float]) -> tuple[Test, ...]:
    """The tests of a selection, in their order. A file is never divided: what its tests share is set up once."""
    chosen = [test for test in tests if not selection.smoke or SMOKE in test.marks]
    mine = _shards([file_of(test.id) for test in chosen], selection.shards, times)[selection.shard - 1]
    return tuple(test for test in chosen if file_of(test.id) in mine)


def _shards(files: Sequence[str], count: int, times: Mapping[str, float]) -> list[set[str]]:
    """Divide files: the longest first, each to the shard that has least so far (Graham's LPT rule).

    https://doi.org/10.1137/0117039
    """
    shards: list[set[str]] = [set() for _ in range(count)]
    seconds = [0.0] * count
    for file in sorted(set(files), key=lambda one: (-times.get(one, _UNKNOWN_SECONDS), one)):
        least = min(range(count), key=lambda number: (seconds[number], number))
        shards[least].add(file)
        seconds[least] += times.get(file, _UNKNOWN_SECONDS)
    return shards


def phases(tests: Sequence[Test]) -> tuple[Lanes, ...]:
    """The ids of the tests by phase, and in each by lane: a lane is one process, and those of a phase go side by side.

    A phase has the lane of most tests, the lane of those that are `beside`, or both. Phases of one lane that follow one
    another are one phase, since a process keeps their order by itself.
    """
    found: list[Lanes] = []
    for place in sorted({test.place for test in tests}):
        here = [test for test in tests if test.place == place]
        lanes = [tuple(test.id for test in here if (BESIDE in test.marks) is beside) for beside in (False, True)]
        filled = tuple(lane for lane in lanes if lane)
        if len(filled) == 1 and found and len(found[-1]) == 1:
            found[-1] = ((*found[-1][0], *filled[0]),)
        else:
            found.append(filled)
    return tuple(found)
