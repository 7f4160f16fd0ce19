"""Releases, plans, promotions and targets for the terminal."""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from sluice.promotion.ledger import Entry, by_promotion
from sluice.promotion.plan import ChartChange, Plan
from sluice.promotion.release import Release
from sluice.report import words

_DIGEST = 19
_LINES = 12  # of a chart's diff, unless all are asked for


def release_table(made: Release) -> Table:
    """Return a release's images, services first."""
    table = _table(f"release {made.id}: verdict {made.level}, score {made.score:g}", "image", "digest", "MB")
    for image in made.everything:
        table.add_row(image.name, image.digest[:_DIGEST], f"{image.size_bytes / 1e6:.0f}" if image.size_bytes else "")
    return table


def plan_lines(plan: Plan, *, full: bool) -> Iterator[Table | Text]:
    """Return what a promotion changes: a table of images, and each chart's diff, cut unless `full`."""
    yield _text(f"{plan.target}: {plan.now or 'nothing'} → {plan.release}")
    changing = [one for one in plan.images if one.changes]
    if changing:
        table = _table("images", "image", "runs", "will run")
        for one in changing:
            table.add_row(one.name, ", ".join(digest[:_DIGEST] for digest in one.now) or "–", one.then[:_DIGEST])
        yield table
    yield _text(f"images: {len(changing)} change, {len(plan.images) - len(changing)} stay")
    for chart in plan.charts:
        if not chart.changes:
            yield _text(f"chart {chart.name}: as it is")
            continue
        parts = [("new", chart.new), ("changed", chart.changed), ("gone", chart.gone)]
        counted = ", ".join(f"{len(names)} {what}" for what, names in parts if names)
        named = ", ".join([*chart.changed, *chart.gone, *chart.new][:6])
        more = " …" if sum(len(names) for _, names in parts) > 6 else ""
        yield _text(f"chart {chart.name}: {counted}: {named}{more}")
        lines = list(chart.diff if full else _changed_lines(chart))
        shown = lines if full else lines[:_LINES]
        for line in shown:
            style = {"+": "green", "-": "red"}.get(line[:1], "dim")
            yield _text(f"    {line}", style)
        if len(lines) > len(shown):
            yield Text(f"    … {len(lines) - len(shown)} lines more: --dry-run --full", style="dim")


def _changed_lines(chart: ChartChange) -> Iterator[str]:
    """The lines that go and that come; an object that is not there yet is no reading."""
    heads = {f"--- {one}": one in chart.new for one in (*chart.new, *chart.changed, *chart.gone)}
    new = False
    for line in chart.diff:
        new = heads.get(line, new)
        if line[:1] in "+-" and line[:3] not in ("+++", "---") and not new:
            yield line


def end_lines(end: Any, target: str) -> Iterator[Text]:
    """Return how a promotion ended."""
    if end.resumed:
        yield _text(f"it was {end.resumed} when it was stopped{'' if end.undone else ', and went on from there'}")
    signs = {"verified": "✓", "rolled-back": "↩", "failed": "✗"}
    yield _text(f"{signs[end.state]} {end.release} on {target}: {end.state}: {end.detail}")
    if end.restored and not end.undone:
        yield _text(f"  back to {end.restored}, verified {end.restored_seconds:g} s after the check that failed")


def status_table(rows: Iterable[Any]) -> Table:
    """Return what runs where; a row that is a pair is a target that could not be asked, and why."""
    table = _table("targets", "target", "release", "since (UTC)", "verdict", "budget left", "differs")
    for one in rows:
        if isinstance(one, tuple):
            table.add_row(one[0], "?", "", "", "", _text(f"✗ {one[1]}"))
            continue
        budget = min(one.budgets.items(), key=lambda pair: pair[1], default=None)
        left = f"{budget[1]:.0%} of {budget[0]}" if budget else "–"
        table.add_row(
            one.target,
            one.release or "–",
            _moment(one.since) if one.since else "",
            one.verdict,
            left if one.release else "",
            _text("\n".join(filter(None, (one.under_way, *one.drift))) or "nothing"),
        )
    return table


def history_table(entries: Sequence[Entry], target: str) -> Table:
    """Return the promotions of a target, newest last."""
    table = _table(f"promotions to {target}", "began (UTC)", "took", "release", "why", "who", "state", "detail")
    for one in by_promotion(entries):
        took = timedelta(seconds=round(one.last.at - one.first.at))
        table.add_row(
            _moment(one.first.at),
            str(took),
            one.last.release_id,
            one.last.why,
            _text(one.last.who),
            one.last.state,
            _text(one.last.detail),
        )
    newest = entries[-1].digest[:_DIGEST] if entries else "–"
    table.caption = f"{len(entries)} entries, each chained to the one before; the newest {newest}"
    return table


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def _text(text: str, style: str = "") -> Text:
    """A text from outside: neither markup nor escape sequences of it count."""
    return Text(words.printable(text), style=style, overflow="fold")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
