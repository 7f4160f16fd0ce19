"""Evidence and verdict as rows of cells: what the page's tables hold, apart from how they look."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sluice.compare import state
from sluice.domain import (
    Component,
    Evidence,
    Image,
    ObjectiveResult,
    Series,
    StepTiming,
    SuiteTable,
    TestResult,
    Verdict,
)
from sluice.report import scales, words

_BAD_FIRST = {"failed": 0, "error": 1, "flaky": 2, "skipped": 3, "passed": 4}
MARKS = {
    "pass": "✓",
    "passed": "✓",
    "done": "✓",
    "warn": "!",
    "flaky": "!",
    "skipped": "–",
    "cancelled": "–",
    "fail": "✗",
    "failed": "✗",
    "error": "✗",
}


@dataclass(frozen=True)
class Cell:
    """One value. `kind` is its class on the page; `mark` makes it a badge, `note` stands below it."""

    text: str
    kind: str = "text"
    mark: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A caption, the columns' heads and the rows; the first cell of a row is its head."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def badge(word: str) -> Cell:
    """A level or an outcome: a mark and a word, so that it does not rest on its colour."""
    return Cell(word, f"badge {word}", MARKS.get(word, ""))


def number(text: str) -> Cell:
    """A right-aligned cell."""
    return Cell(text, "number")


def objectives(verdict: Verdict, message_chars: int) -> Table:
    """The verdict, line by line; a column for baselines only where one has been measured."""
    compared = any(result.baseline is not None for result in verdict.objectives)
    rows = []
    for result in verdict.objectives:
        passes = _criterion("pass", result.pass_criterion, result.pass_relative, result)
        warns = _criterion("warn", result.warn_criterion, result.warn_relative, result) if result.warn_criterion else ""
        row = [
            Cell(result.name, "name", note="key objective" if result.key else ""),
            badge(result.level),
            number(words.quantity(result.value, result.unit)),
            *([_baseline(result)] if compared else []),
            Cell(passes, "criterion", note=warns),
            number(str(result.samples)),
            number(f"{result.score:g} of {result.weight}"),
            Cell(cut(result.reason, message_chars), "reason", note=_override(result)),
        ]
        rows.append(tuple(row))
    baseline = ("Baseline",) if compared else ()
    columns = ("Objective", "Level", "Value", *baseline, "Criterion", "Samples", "Score", "Reason")
    return Table("Objectives: value, criterion, score and reason", columns, tuple(rows))


def _criterion(level: str, absolute: str, relative: str, result: ObjectiveResult) -> str:
    told = f"{level} {words.criterion(absolute, result.unit)}"
    return f"{told} and {words.change(relative)}" if relative else told


def _baseline(result: ObjectiveResult) -> Cell:
    """What passed releases had, of how many, and where one like them would lie."""
    if result.baseline is None:
        return number("–")
    told = f"of {result.baselines} passed" if result.baselines else ""
    if result.interval:
        told += f", expected {' to '.join(words.quantity(bound, result.unit) for bound in result.interval)}"
    return replace(number(words.quantity(result.baseline, result.unit)), note=told.removeprefix(", "))


def _override(result: ObjectiveResult) -> str:
    answers = result.override
    if answers is None:
        return ""
    return f"Overridden by {answers.who} until {words.moment(answers.until)}: {answers.why}"


@dataclass(frozen=True)
class Suite:
    """A suite's tests; `bad` where one failed and stayed so."""

    name: str
    counts: str
    took: str
    bad: bool
    table: Table


def suites(tests: Sequence[TestResult], asked: Iterable[str], limit: int, message_chars: int) -> list[Suite]:
    """Each suite with its table of at most `limit` tests, the failed first; suites that failed come first."""
    by_suite: dict[str, list[TestResult]] = {name: [] for name in asked}
    for test in tests:
        by_suite.setdefault(test.suite, []).append(test)
    found = []
    for name, results in by_suite.items():
        ordered = sorted(results, key=lambda test: (_BAD_FIRST.get(outcome(test), 0), test.id))
        note = f"{len(ordered) - limit} tests more are in evidence.json." if len(ordered) > limit else ""
        rows = tuple(_test(test, message_chars) for test in ordered[:limit])
        table = Table(f"Tests of the suite {name}", ("Test", "Outcome", "Took"), rows, note)
        took = words.duration(sum(test.seconds for test in results)) if results else ""
        bad = not results or any(state(test) == "fails" for test in results)
        found.append(Suite(name, _counted(results) if results else "no tests", took, bad, table))
    return sorted(found, key=lambda suite: not suite.bad)


def outcome(test: TestResult) -> str:
    """A test's outcome, with what running it again made of it."""
    return "flaky" if state(test) == "flaky" else test.outcome


def short_name(test: TestResult) -> str:
    """A test by its file and function, without the folders."""
    path, separator, function = test.id.partition("::")
    return f"{path.rpartition('/')[2]}{separator}{function}" or test.id


def _counted(tests: Sequence[TestResult]) -> str:
    return words.listed({word: sum(outcome(test) == word for test in tests) for word in _BAD_FIRST})


def of_suite(table: SuiteTable, limit: int) -> tuple[str, Table]:
    """The name and the rows of what a suite measured; at most `limit` rows."""
    rows = tuple(
        tuple(Cell(text, "name" if not place else "text") for place, text in enumerate(row)) for row in table.rows
    )
    left_out = f"{len(rows) - limit} rows more are in evidence.json." if len(rows) > limit else ""
    note = " ".join(filter(None, (table.note, left_out)))
    return table.name, Table(table.title, table.columns, rows[:limit], note)


def _test(test: TestResult, message_chars: int) -> tuple[Cell, ...]:
    name = Cell(short_name(test), "code")
    if test.outcome != "passed":
        name = replace(name, note=cut(test.message.partition("\n")[0], min(message_chars, 300)))
    return name, badge(outcome(test)), number(words.duration(test.seconds))


def steps(timings: Sequence[StepTiming], origin: float) -> Table:
    """Where the time went, in the order of starts."""
    ordered = sorted(timings, key=lambda step: (step.started, step.name))
    rows = tuple(
        (
            Cell(step.name, "name"),
            badge(step.outcome),
            number(words.clock(step.started - origin)),
            number(words.duration(step.seconds)),
            Cell(step.detail),
        )
        for step in ordered
    )
    return Table("Steps: when they began and how long they took", ("Step", "Outcome", "From", "Took", "Detail"), rows)


def components(found: Sequence[Component]) -> Table:
    """Third-party programs, by name."""
    rows = tuple(
        (
            Cell(one.name, "name"),
            Cell(one.version),
            Cell(one.how, note="cached" if one.cached else "new"),
            number(words.size(one.size_bytes)),
            number(words.duration(one.seconds)),
            Cell(one.digest, "code"),
        )
        for one in sorted(found, key=lambda one: one.name)
    )
    columns = ("Component", "Version", "How", "Size", "Took", "Digest")
    return Table("Components: what the run was made with", columns, rows)


def images(found: Sequence[Image]) -> Table:
    """The services' images, by name: what the verdict speaks of."""
    rows = tuple(
        (
            Cell(one.name, "name"),
            number(words.size(one.size_bytes) if one.size_bytes else "unknown"),
            Cell(one.repository, "code"),
            Cell(one.digest, "code"),
        )
        for one in sorted(found, key=lambda one: one.name)
    )
    return Table("Images: what the verdict speaks of", ("Image", "Size", "Repository", "Digest"), rows)


def points(name: str, unit: str, shown: Sequence[tuple[str, Series]], origin: float, limit: int) -> Table:
    """A plot's numbers: a row a time, a column a series; at most `limit` rows, with the last."""
    values = [dict(series.points) for _, series in shown]
    times = sorted(scales.finite({at for series in values for at in series}))
    every = -(-len(times) // limit) if times else 1
    kept = times[::-1][::every][::-1]
    rows = tuple(
        (Cell(words.clock(at - origin)), *(number(_point(series.get(at), unit)) for series in values)) for at in kept
    )
    note = f"{len(kept)} of {len(times)} points; all are in evidence.json." if len(kept) < len(times) else ""
    columns = ("Time since the run began", *(name for name, _ in shown))
    return Table(f"{name}: the plotted numbers", columns, rows, note)


def _point(value: float | None, unit: str) -> str:
    return "no value" if value is None else words.quantity(value, unit)


def cut(text: str, limit: int) -> str:
    """The text, or its beginning and its end with the count of what was left out between them."""
    if len(text) <= limit:
        return text
    head, tail = limit // 3, limit - limit // 3
    return f"{text[:head]}\n… {len(text) - head - tail} characters left out …\n{text[-tail:]}"


def rewritten(value: object, change: Callable[[str], str]) -> object:
    """A value of domain.py with every text in it changed; the points of series are left as they are."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Series):
        return Series({change(name): change(text) for name, text in value.labels.items()}, value.points)
    if isinstance(value, Mapping):
        return {change(str(name)): rewritten(one, change) for name, one in value.items()}
    if isinstance(value, tuple):
        return tuple(rewritten(one, change) for one in value)
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return replace(value, **{name: rewritten(getattr(value, name), change) for name in fields})  # type: ignore[type-var]
    return value


def outcomes(evidence: Evidence) -> str:
    """All tests in one line: 2 failed, 31 passed."""
    return _counted(evidence.tests)
