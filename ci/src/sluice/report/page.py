"""Evidence and verdict → one HTML page that needs nothing else: no network, no script, no font.

Public: `render`. Tables come from tables.py, drawings from plots.py and timeline.py, the look from page.css;
the page's order is in page.html.j2.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sluice.domain import Evidence, Measurement, ObjectiveResult, Verdict
from sluice.report import plots, tables, words
from sluice.report.timeline import timeline

LARGEST_BYTES = 3_000_000

_FOLDER = Path(__file__).parent
_JINJA = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_HEADS = {"pass": ("✓", "Pass"), "warn": ("!", "Pass with warnings"), "fail": ("✗", "Fail")}


@dataclass(frozen=True)
class _Limits:
    """How much of each thing the page holds."""

    log_chars: int
    logs: int
    message_chars: int
    tests: int
    measurements: int
    rows: int
    reasons: int
    tables: int
    table_rows: int


# From generous to spare: the first that keeps the page below LARGEST_BYTES is taken. The evidence has it all.
_LIMITS = (
    _Limits(60_000, 30, 4000, tests=1000, measurements=40, rows=120, reasons=200, tables=40, table_rows=400),
    _Limits(15_000, 30, 1500, tests=500, measurements=40, rows=60, reasons=100, tables=40, table_rows=200),
    _Limits(3000, 20, 500, tests=100, measurements=30, rows=20, reasons=50, tables=20, table_rows=50),
    _Limits(1000, 5, 200, tests=20, measurements=10, rows=5, reasons=20, tables=10, table_rows=10),
)


def render(
    evidence: Evidence,
    verdict: Verdict,
    logs: Mapping[str, str],
    *,
    dashboards: Sequence[tuple[str, str]] = (),
    mask: Callable[[str], str] = lambda text: text,
) -> str:
    """Return the page; what is too much for LARGEST_BYTES is cut, which the page says.

    `logs` are texts by name, such as the last lines of a container; `dashboards` are titles and the files beside this
    one that draw them. Every text of evidence, verdict and logs passes through `mask`, the place to keep out what is
    secret, and is stripped of control characters; all of it is escaped.
    """

    def clean(text: str) -> str:
        return mask(words.printable(text))

    shown = cast("Evidence", tables.rewritten(evidence, clean))
    judged = cast("Verdict", tables.rewritten(verdict, clean))
    # Masked before anything is cut: half a secret would not be known for one.
    texts = {clean(name): clean(text) for name, text in logs.items()}
    # Tests have a section of their own.
    shown = replace(shown, measurements=tuple(one for one in shown.measurements if one.kind != "tests"))
    results = {result.name: result for result in judged.objectives}
    drawn = [
        plots.line_plot(one, results.get(one.objective), shown.tests, origin=shown.started, ident=f"plot{number}")
        for number, one in enumerate(shown.measurements[: _LIMITS[0].measurements])
    ]
    page = ""
    for limits in _LIMITS:
        page = _page(shown, judged, texts, drawn, limits, dashboards)
        if len(page.encode()) < LARGEST_BYTES:
            break
    return page


def _page(
    evidence: Evidence,
    verdict: Verdict,
    logs: Mapping[str, str],
    drawn: Sequence[plots.Plot | None],
    limits: _Limits,
    dashboards: Sequence[tuple[str, str]],
) -> str:
    mark, head = _HEADS[verdict.level]
    results = {result.name: result for result in verdict.objectives}
    measurements = [
        _measurement(one, results.get(one.objective), plot, evidence.started, limits)
        for one, plot in zip(evidence.measurements[: limits.measurements], drawn, strict=False)
    ]
    suites = tables.suites(evidence.tests, evidence.suites, limits.tests, limits.message_chars)
    template = _JINJA.get_template("page.html.j2")
    return template.render(
        style=Markup((_FOLDER / "page.css").read_text(encoding="utf-8")),  # our own file
        evidence=evidence,
        verdict=verdict,
        mark=mark,
        head=head,
        facts=_facts(evidence),
        reasons=[tables.cut(reason, limits.message_chars) for reason in verdict.reasons[: limits.reasons]],
        reasons_left_out=max(0, len(verdict.reasons) - limits.reasons),
        objectives=tables.objectives(verdict, limits.message_chars),
        measurements=measurements,
        windows=plots.suite_windows(evidence.tests, evidence.started),
        measurements_left_out=max(0, len(evidence.measurements) - limits.measurements),
        timeline=Markup(timeline(evidence.steps, origin=evidence.started, ended=evidence.ended)),
        steps=tables.steps(evidence.steps, evidence.started),
        suites=suites,
        suite_tables=[tables.of_suite(table, limits.table_rows) for table in evidence.tables[: limits.tables]],
        suite_tables_left_out=max(0, len(evidence.tables) - limits.tables),
        dashboards=dashboards,
        tests=tables.outcomes(evidence),
        images=tables.images(evidence.images),
        components=tables.components(evidence.components),
        logs=[(name, tables.cut(text, limits.log_chars)) for name, text in list(logs.items())[: limits.logs]],
        logs_left_out=max(0, len(logs) - limits.logs),
    )


def _facts(evidence: Evidence) -> list[tuple[str, str]]:
    """What the run was, for the head of the page."""
    revision = evidence.revision or "none"
    return [
        ("Run", evidence.run_id),
        ("Began", words.moment(evidence.started)),
        ("Took", words.duration(evidence.ended - evidence.started)),
        ("Revision", f"{revision}, with uncommitted changes" if evidence.dirty else revision),
        ("Source", evidence.source_digest or "unknown"),
        ("Runtime", evidence.runtime),
        ("Kubernetes", evidence.kubernetes or "none"),
        ("Tests", tables.outcomes(evidence)),
    ]


@dataclass(frozen=True)
class _Measured:
    """A measurement as the page shows it."""

    name: str
    result: ObjectiveResult | None
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
        query=tables.cut(one.query.strip(), limits.message_chars),
        error=tables.cut(one.error, limits.message_chars),
        window=words.duration(one.window_seconds),
        samples=one.samples,
        plot=Markup(plot.svg) if plot else None,  # plots.py escapes every text
        names=plot.names if plot else (),
        left_out=plot.left_out if plot else 0,
        points=tables.points(one.objective, one.unit, pairs, origin, limits.rows) if plot else None,
    )
