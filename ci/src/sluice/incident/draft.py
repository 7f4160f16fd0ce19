"""A timeline → the page that people go on writing: docs/incidents/template.md with its marks filled in.

What the page quotes (log lines, events, names) comes from programs and people: it stands as code, in which no link,
mention or HTML is made of it.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sluice.errors import EvidenceError
from sluice.incident.model import Burnt, Happening, Incident

TEMPLATE = Path("docs/incidents/template.md")
MARKS = ("facts", "measured", "timeline", "missing", "method")
_MARK = re.compile(r"<!-- sluice: ([a-z]+) -->")
_ROWS = 400  # of the timeline; all are in the JSON beside it
_CHARACTERS = 300


def read_template(root: Path) -> str:
    """Return the template's text. Raises EvidenceError where it cannot be read, or lacks a mark or has one twice."""
    path = root / TEMPLATE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unfit(getattr(error, "strerror", None) or "no UTF-8") from None
    found = _MARK.findall(text)
    wrong = [f"{mark} stands there {found.count(mark)} times" for mark in MARKS if found.count(mark) != 1]
    wrong += [f"there is no mark {mark}" for mark in sorted(set(found) - set(MARKS))]
    if wrong:
        raise _unfit("; ".join(wrong))
    return text


def _unfit(seen: str) -> EvidenceError:
    marks = ", ".join(f"<!-- sluice: {mark} -->" for mark in MARKS)
    return EvidenceError(
        f"{TEMPLATE} cannot be filled in",
        seen=seen,
        expected=f"each of {marks}, once",
        next_command=f"git checkout {TEMPLATE}",
    )


def draft(template: str, incident: Incident) -> str:
    """Return the page; what nobody but people can say is left to them, as the template has it."""
    parts = {
        "facts": _facts(incident),
        "measured": _measured(incident.burnt),
        "timeline": _timeline(incident.timeline),
        "missing": "\n".join(f"- {_text(one.what)}: {_code(one.why)}" for one in incident.missing),
        "method": "\n".join(f"- {_text(line)}" for line in incident.method),
    }
    return _MARK.sub(lambda mark: parts[mark[1]], template)


def _facts(incident: Incident) -> str:
    rows = [("drafted of", incident.of), ("drafted", _clock(incident.drafted)), *incident.facts]
    return _table(("", ""), [(_text(name), _code(value)) for name, value in rows])


def _measured(burnt: Sequence[Burnt]) -> str:
    if not burnt:
        return "Nothing is known of the error budgets in that time."
    rows = [
        (
            _code(f"{one.service} {one.slo}"),
            _number(one.events, ".0f"),
            _number(one.bad, ".0f"),
            _number(one.left_before, ".1%"),
            _number(one.left_after, ".1%"),
        )
        for one in burnt
    ]
    heads = ("objective", "events", "bad", "budget left before", "budget left after")
    return _table(heads, rows)


def _timeline(found: Sequence[Happening]) -> str:
    if not found:
        return "Nothing was found in that time."
    rows = [
        (
            _clock(one.at),
            one.kind,
            _code(one.where),
            _text(f"{one.what}{f' (until {_clock(one.until)})' if one.until is not None else ''}"),
            _code(one.more),
        )
        for one in found[:_ROWS]
    ]
    cut = f"\n\n{len(found) - _ROWS} more are in incident.json." if len(found) > _ROWS else ""
    return _table(("when (UTC)", "kind", "where", "what", "in their words"), rows) + cut


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None, form: str) -> str:
    return "not known" if value is None else format(value, form)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _line(text: str) -> str:
    told = "".join(one if one.isprintable() else " " for one in text)
    told = " ".join(told.split())
    return told if len(told) <= _CHARACTERS else told[: _CHARACTERS - 1] + "…"


def _code(text: str) -> str:
    """A text as code: a backquote in it is shown as an apostrophe, for nothing in code can be escaped."""
    told = _line(text).replace("`", "'").replace("|", "\\|")
    return f"`{told}`" if told else ""


def _text(text: str) -> str:
    """A text as it is: what Markdown or HTML would make of its signs is kept from happening."""
    told = re.sub(r"([\\`*_\[\]#|~])", r"\\\1", _line(text))
    return told.replace("&", "&amp;").replace("<", "&lt;").replace("@", "&#64;")
