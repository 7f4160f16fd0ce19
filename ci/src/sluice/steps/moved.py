"""Which metrics moved while a test ran: a small chosen set, before and after, as a table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sluice.domain import Series
from sluice.steps.chosen_metrics import Question

_ROWS = 40  # of one question; what moved most comes first


@dataclass(frozen=True)
class Move:
    """One series over a window; None is where it was not there."""

    labels: str
    before: float | None
    after: float | None
    lowest: float
    highest: float
    size: float


def moves(question: Question, series: Sequence[Series], *, start: float, end: float, step: float) -> list[Move]:
    """The series that moved, what moved most first; one is gone at an end where it has no point within two steps."""
    found = []
    for one in series:
        points = [(at, value) for at, value in one.points if math.isfinite(value)]
        if not points:
            continue
        values = [value for _, value in points]
        born, gone = points[0][0] > start + 2 * step, points[-1][0] < end - 2 * step
        move = Move(
            labels=", ".join(f"{key}={value}" for key, value in sorted(one.labels.items()) if key != "__name__"),
            before=None if born else values[0],
            after=None if gone else values[-1],
            lowest=min(values),
            highest=max(values),
            size=_size(question, values, born, gone),
        )
        if move.size > question.least:
            found.append(move)
    return sorted(found, key=lambda move: (-move.size, move.labels))


def _size(question: Question, values: Sequence[float], born: bool, gone: bool) -> float:
    """How far a series went.

    A counter is born at 0, and one that fell began anew at 0; that it is gone tells only of who was asked for it. To
    come or to go is a move of a gauge, as far as its value, unless it always moves a little.
    """
    if question.kind == "counter":
        pairs = zip([0.0 if born else values[0], *values], values, strict=False)
        return sum(after - before if after >= before else after for before, after in pairs)
    ends = [0.0] if (born or gone) and not question.least else []
    return max(*values, *ends, values[0]) - min(*values, *ends, values[0])


def table(question: Question, moved: Sequence[Move], of: int) -> str:
    """The moves of one question as text; `of` is how many series there are."""
    if not moved:
        return ""
    lines = [f"{question.title}: {len(moved)} of {of} series moved"]
    rows = [(move_text(move, question), move.labels or "(all)") for move in moved[:_ROWS]]
    width = max(len(told) for told, _ in rows)
    lines += [f"  {told:<{width}}  {labels}" for told, labels in rows]
    if len(moved) > _ROWS:
        lines.append(f"  … and {len(moved) - _ROWS} more")
    return "\n".join(lines) + "\n"


def move_text(move: Move, question: Question) -> str:
    """What a series was before, and what after."""
    unit = f" {question.unit}" if question.unit else ""
    text = f"{_number(move.before)} → {_number(move.after)}{unit}"
    if question.kind == "counter":
        anew = ", began anew" if move.after is not None and move.after < (move.before or 0.0) else ""
        text += f"  (+{_number(move.size)}{anew})"
    elif {move.lowest, move.highest} - {move.before, move.after}:
        text += f"  (between {_number(move.lowest)} and {_number(move.highest)})"
    return text


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"


def spans(points: Sequence[tuple[float, float]], step: float) -> list[tuple[float, float]]:
    """The stretches of time in which a series was there: from when to when, with no gap of more than two steps."""
    found: list[tuple[float, float]] = []
    for at, _ in points:
        if found and at - found[-1][1] <= 2 * step:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found


def alert_lines(series: Sequence[Series], *, step: float, first: str = "") -> list[str]:
    """Each alert that was pending or firing, with since when and until when it was seen.

    Firing ones come first, and of these the ones of the namespace `first`.
    """
    found = []
    for one in series:
        labels = dict(one.labels)
        name, state = labels.pop("alertname", "?"), labels.pop("alertstate", "?")
        labels.pop("__name__", None)
        times = "; ".join(f"{_clock(begun)} to {_clock(over)}" for begun, over in spans(one.points, step))
        told = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
        found.append((state != "firing", labels.get("namespace") != first, f"{state:<8} {name}  {times}  {told}"))
    return [line for *_, line in sorted(found)]


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
