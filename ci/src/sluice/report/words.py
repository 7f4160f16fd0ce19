"""Numbers as a reader wants them: rounded, with their unit; the same in the terminal and on the page."""

import math
import re
from datetime import UTC, datetime

from sluice.domain import Monitoring

# Terminals' escape sequences, control characters but tab and line end, and lone surrogates.
_UNPRINTABLE = re.compile(
    "\x1b\\[[0-9;?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
)
_SIZES = ("B", "kB", "MB", "GB", "TB")
_SIGNS = {"<=": "≤", ">=": "≥", "==": "="}


def quantity(value: float | None, unit: str) -> str:
    """A value in its objective's unit: ratios as %, seconds and bytes at a fitting scale."""
    if value is None:
        return "none"
    if not math.isfinite(value):
        return str(value)
    if unit == "ratio":
        return f"{_rounded(100 * value)} %"
    if unit == "seconds":
        return f"{1000 * value:.3g} ms" if 0 < abs(value) < 1 else f"{_rounded(value)} s"
    if unit in ("bytes", "bytes/s"):
        return size(value) + unit.removeprefix("bytes")
    return f"{value:.6g} {unit}".rstrip()


def _rounded(value: float) -> str:
    """Three digits, and the whole number where there are more before the point: no reader wants 6.15e+03."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def criterion(text: str, unit: str) -> str:
    """A criterion in the same words as its value: `<= 0.01` in ratio is `≤ 1 %`."""
    operator, _, bound = text.partition(" ")
    try:
        shown = quantity(float(bound), unit)
    except ValueError:
        return text
    return f"{_SIGNS.get(operator, operator)} {shown}"


def change(text: str) -> str:
    """A change against passed releases, `<= +10 %`, with the sign that print has for it."""
    operator, _, percent = text.partition(" ")
    return f"{_SIGNS.get(operator, operator)} {percent}"


def bound(text: str) -> float | None:
    """The number of a criterion; None where it has none."""
    try:
        return float(text.partition(" ")[2])
    except ValueError:
        return None


def monitored(facts: Monitoring) -> str:
    """What Prometheus said of itself: whether its numbers are to be believed."""
    if facts.error:
        return f"could not be asked: {facts.error}"
    started = sum(at > facts.window_started for at in facts.starts)
    return (
        f"clock {quantity(facts.clock_skew_seconds, 'seconds')} off, longest gap "
        f"{quantity(facts.longest_gap_seconds, 'seconds')}, started again {started} time{'' if started == 1 else 's'}"
    )


def size(count: float) -> str:
    """Bytes in powers of 1000, as disks and registries count them."""
    power = 0
    while abs(count) >= 999.5 and power < len(_SIZES) - 1:
        count, power = count / 1000, power + 1
    return f"{count:.3g} {_SIZES[power]}"


def duration(seconds: float) -> str:
    """Seconds with a decimal below a minute, then minutes and seconds, then hours and minutes."""
    if not math.isfinite(seconds):
        return str(seconds)
    if abs(seconds) < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if abs(whole) < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def clock(seconds: float) -> str:
    """Time since the run began, as `m:ss` or `h:mm:ss`; before it, with a minus."""
    if not math.isfinite(seconds):
        return str(seconds)
    whole = round(abs(seconds))
    sign = "-" if seconds < 0 and whole else ""
    hours, minutes = divmod(whole // 60, 60)
    return f"{sign}{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{sign}{minutes}:{whole % 60:02d}"


def moment(at: float) -> str:
    """A time of day in UTC; the number itself where it is none that a calendar has."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return str(at)


def printable(text: str) -> str:
    """The text without what would steer a terminal or has no place in HTML."""
    return _UNPRINTABLE.sub("", text)


def listed(counts: dict[str, int]) -> str:
    """Counts that are not 0, such as `31 passed, 2 failed`."""
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "none"
