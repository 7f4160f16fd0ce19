"""Failed and flaky tests as the page tells them: what was said, when, how to run it again, its bundle's files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sluice.domain import Attempt, Quarantined, TestResult
from sluice.report import words
from sluice.report.tables import cut, outcome, short_name

# What a reader wants first of a bundle; the other files follow by their names.
_FIRST = ("readme.md", "readme.txt", "summary.md", "summary.txt")


@dataclass(frozen=True)
class Try:
    """One run of a test: the first in its suite, the others in isolation."""

    name: str
    outcome: str
    began: str
    took: str
    message: str


@dataclass(frozen=True)
class Told:
    """A test that failed at first."""

    number: int
    name: str
    suite: str
    outcome: str
    began: str
    took: str
    quarantine: str
    message: str
    tries: tuple[Try, ...]
    ids: tuple[tuple[str, str], ...]
    again: str
    readme: str
    files: tuple[tuple[str, str], ...]
    files_left_out: int


def again(test: TestResult) -> str:
    """The command that runs a test's suite again, on a cluster that was kept."""
    return f"./nox -s e2e -- --reuse --suite {test.suite}"


def told(
    tests: Sequence[TestResult],
    texts: Mapping[str, str],
    origin: float,
    *,
    quarantine: Mapping[str, Quarantined],
    message_chars: int,
    file_chars: int,
    files: int,
) -> list[Told]:
    """Tell each test with at most `files` files of its bundle; `texts` are a run's files by name."""
    found = []
    for number, test in enumerate(tests, 1):
        bundle = of_bundle(test, texts)
        first = next((name for name in bundle if name.lower() in _FIRST), "")
        others = [(name, cut(text, file_chars)) for name, text in bundle.items() if name != first]
        found.append(
            Told(
                number=number,
                name=short_name(test),
                suite=test.suite,
                outcome=outcome(test),
                began=words.clock(test.started - origin),
                took=words.duration(test.seconds),
                quarantine=_quarantine(quarantine.get(test.id)),
                message=cut(test.message, message_chars),
                tries=tuple(_tries(test, origin, message_chars)),
                ids=tuple(_ids(test)),
                again=again(test),
                readme=cut(bundle.get(first, ""), file_chars),
                files=tuple(others[:files]),
                files_left_out=max(0, len(others) - files),
            )
        )
    return found


def of_bundle(test: TestResult, texts: Mapping[str, str]) -> dict[str, str]:
    """The texts of a test's bundle by their names in it, the shortest paths first."""
    if not test.bundle:
        return {}
    names = sorted((name for name in texts if name.startswith(f"{test.bundle}/")), key=_depth)
    return {name.removeprefix(f"{test.bundle}/"): texts[name] for name in names}


def other_texts(tests: Iterable[TestResult], texts: Mapping[str, str]) -> dict[str, str]:
    """The texts that belong to no test's bundle, the shortest paths first: a summary comes before a container's log."""
    folders = tuple(f"{test.bundle}/" for test in tests if test.bundle)
    return {name: texts[name] for name in sorted(texts, key=_depth) if not name.startswith(folders)}


def _depth(name: str) -> tuple[int, str]:
    return len(PurePosixPath(name).parts), name


def _tries(test: TestResult, origin: float, message_chars: int) -> list[Try]:
    def one(number: int, attempt: Attempt | TestResult) -> Try:
        name = "in its suite" if number == 0 else f"again, alone ({number})"
        clock, took = words.clock(attempt.started - origin), words.duration(attempt.seconds)
        return Try(name, attempt.outcome, clock, took, cut(attempt.message, message_chars) if number else "")

    runs: tuple[Attempt | TestResult, ...] = (test, *test.attempts)
    return [one(number, attempt) for number, attempt in enumerate(runs)] if test.attempts else []


def _ids(test: TestResult) -> list[tuple[str, str]]:
    given = (("Request ids", test.request_ids), ("Trace ids", test.trace_ids))
    return [(name, _listed(ids)) for name, ids in given if ids]


def _quarantine(entry: Quarantined | None) -> str:
    if entry is None:
        return ""
    return f"until {words.moment(entry.expires)}, {entry.owner}: {entry.reason}"


def _listed(ids: Sequence[str], most: int = 20) -> str:
    return ", ".join(ids[:most]) + (f" and {len(ids) - most} more" if len(ids) > most else "")
