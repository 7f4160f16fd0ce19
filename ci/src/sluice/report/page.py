"""Evidence and verdict → one HTML page that needs nothing else: no network, no script, no font.

Public: `render`. Tables come from tables.py, failed tests from failed.py, drawings from plots.py, timeline.py and
dashboard.py, the look from page.css and dashboard.css; the page's order is in page.html.j2.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from markupsafe import Markup

from sluice.dashboards import DashboardData
from sluice.domain import Evidence, Measurement, ObjectiveResult, Verdict
from sluice.report import failed, plots, tables, words
from sluice.report.dashboard import Board, board
from sluice.report.marks import marks
from sluice.report.templates import TEMPLATES, styles
from sluice.report.timeline import timeline

LARGEST_BYTES = 3_000_000

_STYLES = ("page.css", "dashboard.css")
_HEADS = {"pass": ("✓", "Pass"), "warn": ("!", "Pass with warnings"), "fail": ("✗", "Fail")}


@dataclass(frozen=True)
class _Limits:
    """How much of each thing the page holds."""

    log_chars: int
    logs: int
    message_chars: int
    tests: int
    failed: int
    files: int  # of a failed test's bundle
    measurements: int
    rows: int
    reasons: int
    tables: int
    table_rows: int
    points: int  # of a line on a dashboard; 0: no dashboards


# From generous to spare: the first that keeps the page below LARGEST_BYTES is taken. The evidence has it all.
_LIMITS = (
    _Limits(
        16_000, 40, 4000, 1000, 40, 12, measurements=40, rows=40, reasons=200, tables=40, table_rows=400, points=160
    ),
    _Limits(8000, 30, 1500, 1000, 25, 8, measurements=40, rows=20, reasons=100, tables=40, table_rows=200, points=80),
    _Limits(3000, 20, 500, 500, 15, 6, measurements=30, rows=20, reasons=50, tables=20, table_rows=50, points=40),
    _Limits(3000, 20, 500, 200, 15, 6, measurements=30, rows=20, reasons=50, tables=20, table_rows=50, points=0),
    _Limits(1000, 5, 200, 20, 10, 3, measurements=10, rows=5, reasons=20, tables=10, table_rows=10, points=0),
)


def render(
    evidence: Evidence,
    verdict: Verdict,
    texts: Mapping[str, str],
    *,
    dashboards: Sequence[DashboardData] = (),
    mask: Callable[[str], str] = lambda text: text,
) -> str:
    """Return the page; what is too much for LARGEST_BYTES is cut, which the page says.

    `texts` are files of the run by name, such as the last lines of a container: those in a failed test's bundle are
    shown with the test. `dashboards` are drawn. Every text of evidence, verdict, texts and dashboards passes through
    `mask`, the place to keep out what is secret, and is stripped of control characters; all of it is escaped.
    """

    def clean(text: str) -> str:
        return mask(words.printable(text))

    shown = cast("Evidence", tables.rewritten(evidence, clean))
    judged = cast("Verdict", tables.rewritten(verdict, clean))
    panels = cast("Sequence[DashboardData]", tables.rewritten(tuple(dashboards), clean))
    # Masked before anything is cut: half a secret would not be known for one.
    cleaned = {clean(name): clean(text) for name, text in texts.items()}
    # Tests and images have sections of their own.
    measured = (one for one in shown.measurements if one.kind not in ("tests", "image") or one.error)
    shown = replace(shown, measurements=tuple(measured))
    draw = _Drawn(shown, judged, panels)
    page = ""
    for limits in _LIMITS:
        page = _page(shown, judged, cleaned, draw, limits)
        if len(page.encode()) < LARGEST_BYTES:
            break
    return page


class _Drawn:
    """The page's drawings: made once, for however often the page is tried."""

    def __init__(self, evidence: Evidence, verdict: Verdict, dashboards: Sequence[DashboardData]) -> None:
        self.marks = marks(evidence.tests, evidence.started)
        self.timeline = timeline(evidence.steps, self.marks, ended=evidence.ended)
        self._dashboards = dashboards
        results = {result.name: result for result in verdict.objectives}
        measured = evidence.measurements[: _LIMITS[0].measurements]
        span = _span(measured)
        self.plots = [
            plots.line_plot(one, results.get(one.objective), self.marks, ident=f"plot{number}", span=span)
            for number, one in enumerate(measured)
        ]

    def boards(self, points: int) -> list[Board]:
        """The dashboards with so many points a line."""
        shown = self._dashboards if points else ()
        return [board(one, self.marks, ident=f"board{number}", points=points) for number, one in enumerate(shown)]

    @property
    def dashboards(self) -> int:
        """How many there are."""
        return len(self._dashboards)


def _span(measured: Sequence[Measurement]) -> tuple[float, float] | None:
    """From the first plotted point to the last: all plots show the same time."""
    times = [
        at
        for one in measured
        for series in one.series
        for at, value in series.points
        if math.isfinite(at) and math.isfinite(value)
    ]
    return (min(times), max(times)) if times else None


def _page(evidence: Evidence, verdict: Verdict, texts: Mapping[str, str], draw: _Drawn, limits: _Limits) -> str:
    mark, head = _HEADS[verdict.level]
    results = {result.name: result for result in verdict.objectives}
    measurements = [
        _measurement(one, results.get(one.objective), plot, evidence.started, limits)
        for one, plot in zip(evidence.measurements[: limits.measurements], draw.plots, strict=False)
    ]
    tell = partial(
        failed.told,
        texts=texts,
        quarantine={one.id: one for one in evidence.quarantine},
        origin=evidence.started,
        message_chars=limits.message_chars,
        file_chars=limits.log_chars,
        files=limits.files,
    )
    logs = failed.other_texts(evidence.tests, texts)
    return TEMPLATES.get_template("page.html.j2").render(
        style=styles(*_STYLES),
        evidence=evidence,
        verdict=verdict,
        mark=mark,
        head=head,
        marks=tables.MARKS,
        gauge=min(100.0, max(0.0, verdict.score)) if math.isfinite(verdict.score) else 0.0,
        facts=_facts(evidence, verdict),
        reasons=[tables.cut(reason, limits.message_chars) for reason in verdict.reasons[: limits.reasons]],
        reasons_left_out=max(0, len(verdict.reasons) - limits.reasons),
        notes=[tables.cut(note, limits.message_chars) for note in verdict.notes[: limits.reasons]],
        objectives=tables.objectives(verdict, limits.message_chars),
        failed=tell(draw.marks.failed[: limits.failed]),
        failed_left_out=max(0, len(draw.marks.failed) - limits.failed),
        flaky=tell(draw.marks.flaky[: limits.failed]),
        timeline=draw.timeline,
        measurements=measurements,
        windows=draw.marks.told(),
        measurements_left_out=max(0, len(evidence.measurements) - limits.measurements),
        tests=tables.outcomes(evidence),
        suites=tables.suites(evidence.tests, evidence.suites, limits.tests, limits.message_chars),
        suite_tables=[tables.of_suite(table, limits.table_rows) for table in evidence.tables[: limits.tables]],
        suite_tables_left_out=max(0, len(evidence.tables) - limits.tables),
        boards=draw.boards(limits.points),
        boards_left_out=0 if limits.points else draw.dashboards,
        images=tables.images(evidence.images),
        components=tables.components(evidence.components),
        steps=tables.steps(evidence.steps, evidence.started),
        logs=[(name, tables.cut(text, limits.log_chars)) for name, text in list(logs.items())[: limits.logs]],
        logs_left_out=max(0, len(logs) - limits.logs),
    )


def _facts(evidence: Evidence, verdict: Verdict) -> list[tuple[str, str]]:
    """What the run was, for the head of the page."""
    revision = evidence.revision or "none"
    met = sum(result.level == "pass" for result in verdict.objectives)
    return [
        *([("No verdict on a release", evidence.partial)] if evidence.partial else []),
        ("Tests", tables.outcomes(evidence)),
        ("Objectives met", f"{met} of {len(verdict.objectives)}"),
        ("Began", words.moment(evidence.started)),
        ("Took", words.duration(evidence.ended - evidence.started)),
        ("Run", evidence.run_id),
        ("Kubernetes", f"{evidence.kubernetes or 'none'}, {evidence.runtime}"),
        *([("Prometheus", words.monitored(evidence.monitoring))] if evidence.monitoring else []),
        ("Revision", f"{revision}, with uncommitted changes" if evidence.dirty else revision),
        ("Source", evidence.source_digest or "unknown"),
    ]


@dataclass(frozen=True)
class _Measured:
    """A measurement as the page shows it."""

    name: str
    result: ObjectiveResult | None
    value: str
    query: str
    error: str
    window: str
    samples: int
    plot: Markup | None
    names: tuple[str, ...]
    left_out: int
    points: tables.Table | None


def _measurement(
    one: Measurement,
    result: ObjectiveResult | None,
    plot: plots.Plot | None,
    origin: float,
    limits: _Limits,
) -> _Measured:
    pairs = list(zip(plot.names, plot.series, strict=True)) if plot else []
    return _Measured(
        name=one.objective,
        result=result,
        value=words.quantity(result.value, result.unit) if result else "",
        query=tables.cut(one.query.strip(), limits.message_chars),
        error=tables.cut(one.error, limits.message_chars),
        window=words.duration(one.window_seconds),
        samples=one.samples,
        plot=Markup(plot.svg) if plot else None,  # plots.py escapes every text
        names=plot.names if plot else (),
        left_out=plot.left_out if plot else 0,
        points=tables.points(one.objective, one.unit, pairs, origin, limits.rows) if plot else None,
    )
