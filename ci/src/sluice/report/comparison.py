"""A comparison for people: a few sentences, then a table an aspect."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sluice.compare import Comparison
from sluice.compare_rules import ASPECTS, RULES, Aspect, Change
from sluice.report import words

_SHOWN = 20  # changes of an aspect in the terminal; --json has all
_MANY_TIMES = 10
_TITLES: dict[Aspect, str] = {
    "failing": "Failing",
    "objectives": "Objectives",
    "slower": "Slower",
    "noisier": "Noisier",
    "larger": "Larger",
}
_NOTHING: dict[Aspect, str] = {
    "failing": "No test fails that did not fail before.",
    "objectives": "No objective moved the wrong way.",
    "slower": "Nothing got slower beyond chance.",
    "noisier": "Nothing got noisier.",
    "larger": "No image and no workload got larger.",
}
_WAYS = {"worse": ("✗ worse", "bold red"), "better": ("✓ better", "green"), "told": ("– told", "default")}


def summary(found: Comparison) -> Iterator[str]:
    """What became worse, in a few sentences; the first one is the answer."""
    worse = [change for change in found.changes if change.way == "worse"]
    answer = (
        f"is worse than {found.before}: {_count(len(worse), 'change')}" if worse else f"is no worse than {found.before}"
    )
    yield f"{found.after} {answer}."
    (old, new), (points_old, points_new) = found.levels, found.scores
    scored = f"{points_old:.0f} → {points_new:.0f} points"
    yield f"Verdict: {new} in both ({scored})." if old == new else f"Verdict: {old} → {new} ({scored})."
    for aspect in ASPECTS:
        counted = found.of(aspect, "worse")
        yield _NOTHING[aspect] if not counted else f"{_TITLES[aspect]}: {_named(counted)}."
    yield f"{_count(found.tests, 'test')} ran in both; the median one took {found.pace:.2f} times as long."
    better = sum(change.way == "better" for change in found.changes)
    if better:
        yield f"{_count(better, 'thing')} got better."


def _named(changes: Sequence[Change]) -> str:
    """The first changes by name, the others by their number."""
    told = [_short(change) for change in changes[:3]]
    return ", ".join(told) + (f", and {len(changes) - 3} more" if len(changes) > 3 else "")


def _short(change: Change) -> str:
    name = words.printable(change.name.rpartition("/")[2])
    if change.kind == "verdict":
        return f"the verdict ({name})"
    what = name if change.kind in ("test", "run") else f"{change.kind} {name}"
    if change.before is None or change.after is None:
        return f"{what} ({words.printable(change.note)})" if change.note else what
    return f"{what} ({_value(change.before, change.unit)} → {_value(change.after, change.unit)})"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:.3g} {unit}" if unit in ("times as long", "points") else words.quantity(value, unit)


def comparison_tables(found: Comparison) -> RenderableType:
    """A table for each aspect in which something changed, then what was not compared, then the rules."""
    parts: list[RenderableType] = []
    for aspect in ASPECTS:
        changes = found.of(aspect)
        if changes:
            parts += [_table(_TITLES[aspect], changes), Text("")]
    if found.not_compared:
        parts.append(Text("Not compared:", style="bold"))
        parts += [Text(f" - {words.printable(line)}") for line in found.not_compared[:_SHOWN]]
        parts.append(Text(_more(len(found.not_compared))))
    parts.append(Text("What counts as worse:", style="bold"))
    parts += [Text(f" - {_TITLES[aspect].lower()}: {RULES[aspect]}") for aspect in ASPECTS]
    return Group(*parts)


def _more(count: int) -> str:
    return f"   and {count - _SHOWN} more; --json has all" if count > _SHOWN else ""


def _table(title: str, changes: Sequence[Change]) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0),
        caption=_more(len(changes)) or None, caption_justify="left",
    )  # fmt: skip
    table.add_column("", no_wrap=True)
    table.add_column("what")
    table.add_column("name", overflow="fold")
    for side in ("before", "after", "change"):
        table.add_column(side, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold", ratio=1)
    for change in changes[:_SHOWN]:
        table.add_row(
            Text(*_WAYS[change.way]),
            change.kind,
            Text(words.printable(change.name.rpartition("/")[2])),
            _value(change.before, change.unit),
            _value(change.after, change.unit),
            _ratio(change),
            Text(words.printable(change.note)),
        )
    return table


def _ratio(change: Change) -> str:
    """The change in percent of what it was, or as its multiple; nothing where that is none."""
    if change.before is None or change.after is None or not change.before or change.unit in ("times as long", "points"):
        return ""
    if change.after > _MANY_TIMES * change.before > 0:
        return f"× {change.after / change.before:.0f}"
    percent = 100 * (change.after - change.before) / abs(change.before)
    return f"{percent:+.0f} %" if abs(percent) >= 1 else f"{percent:+.2g} %"
