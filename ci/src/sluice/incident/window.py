"""--from and --to: the time that is asked about."""

from dataclasses import dataclass
from datetime import datetime

from sluice.errors import SettingsError
from sluice.moments import rfc3339

# A point a minute of a week and the hour before it: Loki gives 11,000 of a series, and a local Prometheus keeps a week.
LONGEST_SECONDS = 7 * 86_400.0
_FUTURE_SECONDS = 60.0  # two clocks may differ by this
_EXAMPLE = "2026-11-07T14:00:00Z"


@dataclass(frozen=True)
class Window:
    """Times in seconds since the epoch."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start

    def has(self, at: float) -> bool:
        """Whether a time lies in it, both ends included."""
        return self.start <= at <= self.end


def window(begin: str, end: str, *, now: float, otherwise: Window | None = None) -> Window:
    """Return the time from `begin` to `end`, RFC 3339 with a zone; an empty one is that of `otherwise`.

    Raises SettingsError that names every mistake: no time, none with a zone, the wrong order, the future, too long.
    """
    mistakes: list[str] = []
    start = _moment("--from", begin, otherwise.start if otherwise else None, now, mistakes)
    over = _moment("--to", end, otherwise.end if otherwise else None, now, mistakes)
    if start is not None and over is not None and not mistakes:
        if over <= start:
            mistakes.append(f"--to {rfc3339(over)} is not after --from {rfc3339(start)}")
        elif over - start > LONGEST_SECONDS:
            mistakes.append(f"from --from to --to are {(over - start) / 86_400:.1f} days; at most 7 can be asked about")
    if mistakes or start is None or over is None:
        raise SettingsError(
            "the command line",
            mistakes,
            expected=f"two times with their zone (RFC 3339), such as --from {_EXAMPLE}; it is {rfc3339(now)}",
            next_command="./nox -s incident -- --help",
        )
    return Window(start, min(over, now))


def _moment(option: str, text: str, otherwise: float | None, now: float, mistakes: list[str]) -> float | None:
    """The time of an option; None where it has a mistake, which is noted."""
    if not text:
        if otherwise is None:
            mistakes.append(f"{option} is missing")
        return otherwise
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        mistakes.append(f"{option} {text}: no time")
        return None
    if found.tzinfo is None:
        mistakes.append(f"{option} {text} has no zone: at its end stands Z for UTC, or one such as +01:00")
        return None
    at = found.timestamp()
    if at > now + _FUTURE_SECONDS:
        mistakes.append(f"{option} {text} is in the future")
        return None
    return at
