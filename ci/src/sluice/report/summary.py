"""A run on one page of Markdown: for a workflow's summary and for a comment on a pull request.

Names of tests and what they said come from whoever wrote the change. So the page is made of HTML blocks, in which
Markdown is not read (spec.commonmark.org, HTML blocks: they end at an empty line), and every text of the run is escaped
and stands in <code>, where no mention, link or number of an issue is made of it.
"""

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sluice.compare import state
from sluice.domain import Evidence, TestResult, Verdict
from sluice.report import tables, words
from sluice.report.failed import again

# By its first line our comment is known among those of others who write as the same bot.
MARKER = "<!-- sluice: verdict -->"
# GitHub takes 65536 characters in a comment; what comes after that is told in the report alone.
_LIMIT = 60_000
_CHARACTERS = 300
_REASONS, _FAILED, _SLOWEST = 10, 20, 5
_LEFT_OUT = "<p>More is in the report: this page would be too long.</p>"
_SIGNS = {"pass": "✅", "warn": "⚠️", "fail": "❌"}


@dataclass(frozen=True)
class Links:
    """Where the run is to be read, as https addresses; empty where there is none."""

    report: str = ""
    log: str = ""


def summary(evidence: Evidence, verdict: Verdict, line: str, links: Links) -> str:
    """Return the run as Markdown, at most 60000 characters: what it comes to (`line`), then why, then its numbers."""
    failed = [test for test in evidence.tests if state(test) == "fails"]
    sign = _SIGNS[verdict.level] if not line.startswith("PARTIAL") else "◐"
    blocks = [
        f"<h2>{sign} {_text(line)}</h2>",
        _facts(evidence),
        _links(links),
        _list("What broke the run", evidence.failures),
        _list(f"Why {verdict.level}", verdict.reasons),
        _list("Also", verdict.notes),
        *_objectives(verdict),
        _failed(failed),
        *_slowest(evidence),
        _components(evidence),
    ]
    return _page(blocks)


def no_verdict(why: str, links: Links) -> str:
    """Return the page of a run that left no evidence: an older page that says pass would be taken for this run's."""
    return _page(["<h2>❌ NO VERDICT</h2>", f"<p>{_code(why)}</p>", _links(links)])


def _page(blocks: Iterable[str]) -> str:
    """The blocks that fit, with an empty line between each."""
    page = MARKER + "\n"
    for block in filter(None, blocks):
        if len(page) + len(block) + len(_LEFT_OUT) > _LIMIT:
            return f"{page}\n{_LEFT_OUT}\n"
        page += f"\n{block}\n"
    return page


def _facts(evidence: Evidence) -> str:
    edited = " with changes that no commit has" if evidence.dirty else ""
    return (
        f"<p>{tables.outcomes(evidence)} · run {_code(evidence.run_id)} · revision {_code(evidence.revision[:12])}"
        f"{edited} · Kubernetes {_code(evidence.kubernetes)} · runtime {_code(evidence.runtime)}"
        f" · {words.duration(evidence.ended - evidence.started)}</p>"
    )


def _links(links: Links) -> str:
    told = [(links.report, "Report and evidence"), (links.log, "Log of the workflow")]
    # Of another scheme a link may be a program.
    found = [f'<a href="{html.escape(to)}">{name}</a>' for to, name in told if urlsplit(to).scheme == "https"]
    return f"<p>{' · '.join(found)}</p>" if found else ""


def _list(title: str, texts: Sequence[str]) -> str:
    if not texts:
        return ""
    items = [f"<li>{_code(text)}</li>" for text in texts[:_REASONS]]
    if len(texts) > _REASONS:
        items.append(f"<li>and {len(texts) - _REASONS} more, in the report</li>")
    return f"<h3>{title}</h3>\n<ul>\n" + "\n".join(items) + "\n</ul>"


def _objectives(verdict: Verdict) -> Iterator[str]:
    if verdict.objectives:
        yield f"<h3>Objectives: {verdict.score:.0f} of 100</h3>"
        yield _table(tables.objectives(verdict, _CHARACTERS))


def _failed(failed: Sequence[TestResult]) -> str:
    if not failed:
        return ""
    told = [
        f"<li>{_code(test.id)} {test.outcome}: {_code(test.message.strip().partition(chr(10))[0])}<br>"
        f"again: {_code(again(test))}</li>"
        for test in sorted(failed, key=lambda test: test.started)[:_FAILED]
    ]
    if len(failed) > _FAILED:
        told.append(f"<li>and {len(failed) - _FAILED} more, in the report</li>")
    return "<h3>Failed tests</h3>\n<ul>\n" + "\n".join(told) + "\n</ul>"


def _slowest(evidence: Evidence) -> Iterator[str]:
    slowest = sorted(evidence.steps, key=lambda step: -step.seconds)[:_SLOWEST]
    if slowest:
        yield "<h3>Slowest steps</h3>"
        yield _table(tables.steps(slowest, evidence.started))


def _components(evidence: Evidence) -> str:
    new = [one for one in evidence.components if not one.cached]
    took = words.duration(sum(one.seconds for one in new))
    return f"<p>{len(evidence.components)} components, {len(new)} of them obtained by this run ({took}).</p>"


def _table(table: tables.Table) -> str:
    head = "".join(f"<th>{_text(column)}</th>" for column in table.columns)
    rows = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows)
    return f"<table>\n<tr>{head}</tr>\n{rows}\n</table>"


def _cell(cell: tables.Cell) -> str:
    align = ' align="right"' if cell.kind == "number" else ""
    mark = f"{cell.mark} " if cell.mark else ""
    note = f"<br>{_code(cell.note)}" if cell.note else ""
    return f"<td{align}>{mark}{_code(cell.text)}{note}</td>"


def _code(text: str) -> str:
    """A text of the run: as it is, and nothing else."""
    return f"<code>{_text(text)}</code>" if text.strip() else ""


def _text(text: str) -> str:
    """In a line, for an empty one would end the block; escaped, and cut."""
    line = " ".join(words.printable(text).split())
    return html.escape(line if len(line) <= _CHARACTERS else line[: _CHARACTERS - 1] + "…")
