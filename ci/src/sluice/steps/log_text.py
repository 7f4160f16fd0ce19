"""Log lines of Loki as text that is read from top to bottom: a time, a level, whose, what; a traceback unfolded."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sluice.masking import Mask, beginning, ending
from sluice.ports import LogLine
from sluice.steps.bundle import moment

# What the line's beginning says already, or what says nothing to a reader.
_SAID = {"timestamp", "time", "ts", "level", "service", "message", "msg", "instance", "ver", "app_id", "traceback"}
_LINE_LIMIT = 8_000
_KIND_LIMIT = 160
_LEVELS = ("CRITICAL", "ERROR", "WARNING")


def line_text(line: LogLine) -> str:
    """One line, or several where it holds a traceback."""
    fields = _fields(line.text)
    whose = "/".join(line.labels.get(key, "?") for key in ("namespace", "pod", "container"))
    head = f"{moment(line.at)} {line.labels.get('level', '?'):<8} {whose}: "
    if fields is None:
        return head + beginning(line.text.rstrip(), _LINE_LIMIT)
    told = str(fields.get("message") or fields.get("msg") or "")
    more = {key: value for key, value in fields.items() if key not in _SAID and value is not None}
    rest = " ".join(f"{key}={_value(value)}" for key, value in more.items())
    text = head + told + (f"  {rest}" if rest else "")
    trace = fields.get("traceback")
    unfolded = "".join(f"\n    {one}" for one in str(trace).rstrip().split("\n")) if trace else ""
    return beginning(text, _LINE_LIMIT) + ending(unfolded, _LINE_LIMIT)


def merged(*given: Iterable[LogLine]) -> list[LogLine]:
    """Lines of several answers, each once, in the order of time."""
    found = {(line.at, line.text, tuple(sorted(_own(line.labels).items()))): line for lines in given for line in lines}
    return sorted(found.values(), key=lambda line: line.at)


def kinds(lines: Sequence[LogLine], most: int, mask: Mask, *, first: str = "") -> list[str]:
    """The kinds of lines: how many, level, service, message; numbers do not make a kind.

    Those of the namespace `first` come first, then what is worse, then what is more frequent.
    """
    counted = Counter((line.labels.get("namespace") != first, *_kind(line, mask)) for line in lines)
    order = sorted(counted.items(), key=lambda one: (one[0][0], _rank(one[0][1]), -one[1]))
    shown = [f"{count:>5} × {level} {rest}" for (_, level, rest), count in order[:most]]
    return shown + ([f"      … and {len(counted) - most} kinds more"] if len(counted) > most else [])


def _rank(level: str) -> int:
    return _LEVELS.index(level) if level in _LEVELS else len(_LEVELS)


def services(lines: Iterable[LogLine]) -> list[str]:
    """Whose lines these are."""
    return sorted({line.labels.get("service") or line.labels.get("pod", "?") for line in lines})


def field(line: LogLine, name: str) -> str:
    """A field of a JSON line; empty where it has none."""
    value = (_fields(line.text) or {}).get(name)
    return value if isinstance(value, str) else ""


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: labels[key] for key in ("namespace", "pod", "container") if key in labels}


def _kind(line: LogLine, mask: Mask) -> tuple[str, str]:
    fields = _fields(line.text)
    text = str(fields.get("message") or fields.get("msg") or line.text) if fields else line.text
    if fields and fields.get("traceback"):
        text += ": " + str(fields["traceback"]).rstrip().rpartition("\n")[2]
    # Masked before it is changed: a secret with other digits would not be known.
    text = re.sub(r"\d+", "#", mask(text).partition("\n")[0])
    whose = line.labels.get("service") or line.labels.get("pod", "?")
    return line.labels.get("level", "?"), f"{whose}: {beginning(text, _KIND_LIMIT)}"


def _fields(text: str) -> dict[str, object] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _value(value: object) -> str:
    return value if isinstance(value, str) and " " not in value else json.dumps(value, ensure_ascii=False)
