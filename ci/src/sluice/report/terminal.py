"""What the terminal shows of a run: components, steps, and the verdict with each objective's numbers."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sluice.domain import Component, Evidence, StepTiming, TestResult, Verdict
from sluice.report import words

# A mark and a word with each colour: neither a colour-blind reader nor a log file has the colour.
_LEVELS = {"pass": ("✓ pass", "green"), "warn": ("! warn", "yellow"), "fail": ("✗ fail", "bold red")}
_STEPS = {
    "done": ("✓ done", "green"),
    "failed": ("✗ failed", "bold red"),
    "cancelled": ("– cancelled", "yellow"),
}
# Enough to know the cause by; a log that shows only its end still has the verdict.
_FAILED_TOLD = 5
_LINES_TOLD = 4
_CHARACTERS_TOLD = 300


def verdict_table(verdict: Verdict) -> RenderableType:
    """Each objective with level, value, baseline, criterion, score and reason; below it what stands against the run.

    The baseline has a column where some objective has one.
    """
    compared = any(result.baseline is not None for result in verdict.objectives)
    right = ("value", *(("baseline",) if compared else ()), "criterion", "score")
    table = _table("Verdict", left=("objective", "level"), right=right, last="reason")
    for result in verdict.objectives:
        name = Text(result.name + (" (key)" if result.key else ""))
        criteria = _criteria(result.pass_criterion, result.pass_relative, result.unit)
        if result.warn_criterion:
            criteria += f"\nwarn {_criteria(result.warn_criterion, result.warn_relative, result.unit)}"
        baseline = words.quantity(result.baseline, result.unit) if result.baseline is not None else "–"
        table.add_row(
            name,
            _mark(_LEVELS[result.level]),
            Text(words.quantity(result.value, result.unit)),
            *((Text(baseline),) if compared else ()),
            Text(criteria),
            f"{result.score:g}/{result.weight}",
            _text(result.reason),
        )
    below: list[RenderableType] = []
    for title, said in ((f"Why {verdict.level}:", verdict.reasons), ("Also:", verdict.notes)):
        below += [Text(f"\n{title}"), *(_reason(one) for one in said)] if said else []
    return Group(table, *below) if below else table


def failed_tests(evidence: Evidence) -> RenderableType:
    """The first tests that failed, each with what it said first and where to read on; nothing where none failed."""
    failed = [test for test in evidence.tests if test.failed]
    if not failed:
        return Group()
    told = [_failed(test) for test in sorted(failed, key=lambda test: test.started)[:_FAILED_TOLD]]
    if len(failed) > _FAILED_TOLD:
        told.append(_reason(f"and {len(failed) - _FAILED_TOLD} more, in report.html"))
    return Group(Text("\nWhat the tests said:"), *told)


def _failed(test: TestResult) -> RenderableType:
    again = f", then {' and '.join(one.outcome for one in test.attempts)}" if test.attempts else ""
    said = test.message.strip().splitlines()[:_LINES_TOLD] or ["pytest said nothing"]
    lines = [line[:_CHARACTERS_TOLD] for line in said]
    where = [f"read {test.bundle}/README.txt"] if test.bundle else []
    return _reason("\n".join((f"{test.id}: {test.outcome}{again}", *lines, *where)))


def verdict_line(verdict: Verdict) -> str:
    """The verdict in a line: `PASS  score 100 of 100`."""
    return f"{verdict.level.upper()}  score {verdict.score:.0f} of 100"


def _criteria(absolute: str, relative: str, unit: str) -> str:
    return words.criterion(absolute, unit) + (f"\nand {words.change(relative)}" if relative else "")


def steps_table(steps: Evidence | Sequence[StepTiming]) -> RenderableType:
    """Where the time went: each step's start since the first one's, its seconds and how it ended."""
    timings = steps.steps if isinstance(steps, Evidence) else steps
    table = _table("Steps", left=("step", "outcome"), right=("from", "took"), last="detail")
    first = min((step.started for step in timings), default=0.0)
    for step in sorted(timings, key=lambda step: step.started):
        table.add_row(
            Text(step.name),
            _mark(_STEPS[step.outcome]),
            words.clock(step.started - first),
            words.duration(step.seconds),
            _text(step.detail),
        )
    return table


def components_table(components: Evidence | Sequence[Component]) -> RenderableType:
    """What was obtained: name, version, how, size, how long obtaining it took, and whether it was cached."""
    found = components.components if isinstance(components, Evidence) else components
    table = _table("Components", left=("component", "version", "how"), right=("size", "took"), last="cached")
    for component in sorted(found, key=lambda component: component.name):
        table.add_row(
            Text(component.name),
            Text(component.version),
            component.how,
            words.size(component.size_bytes),
            words.duration(component.seconds),
            "cached" if component.cached else "new",
        )
    return table


def _table(title: str, *, left: Sequence[str], right: Sequence[str], last: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column(last, overflow="fold", ratio=1)
    return table


def _reason(reason: str) -> RenderableType:
    """One reason with a dash before it; further lines of it stand below its first."""
    item = Table.grid(padding=(0, 1))
    item.add_row(" -", _text(reason))
    return item


def _text(text: str) -> Text:
    """A text from outside: neither markup nor escape sequences of it count."""
    return Text(words.printable(text), overflow="fold")


def _mark(mark: tuple[str, str]) -> Text:
    return Text(*mark, no_wrap=True)
