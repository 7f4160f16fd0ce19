"""When a target may be changed: its windows and its freezes, in its own wall time. Pure: the time is given."""

from datetime import UTC, datetime, timedelta

from sluice.promotion.model import Day, Freeze, Target

_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LOOK_AHEAD_DAYS = 400  # a year of freezes, and a week of windows after it


def why_closed(target: Target, at: float) -> str:
    """Return why a target may not be changed at a time in seconds since the epoch; empty where it may."""
    local = datetime.fromtimestamp(at, UTC).astimezone(target.timezone)
    frozen = _frozen(target, local)
    if frozen:
        return f"{target.name} is frozen from {frozen.first} until {frozen.last}: {frozen.why}{_next(target, at)}"
    if target.windows and not _in_a_window(target, local):
        return (
            f"{local:%A %H:%M} in {target.timezone.key} is outside of the windows of {target.name}{_next(target, at)}"
        )
    return ""


def opens(target: Target, at: float) -> float | None:
    """Return the next time at which a target may be changed, in seconds since the epoch; None where there is none."""
    local = datetime.fromtimestamp(at, UTC).astimezone(target.timezone)
    for days in range(_LOOK_AHEAD_DAYS):
        day = (local + timedelta(days=days)).date()
        if _frozen(target, datetime.combine(day, local.timetz())):
            continue
        starts = [window.start for window in target.windows if _DAYS[day.weekday()] in window.days]
        if not target.windows:
            starts = [datetime.min.time()]
        for start in sorted(starts):
            moment = datetime.combine(day, start, tzinfo=target.timezone).timestamp()
            if moment > at:
                return moment
    return None


def _frozen(target: Target, local: datetime) -> Freeze | None:
    return next((freeze for freeze in target.freezes if freeze.first <= local.date() <= freeze.last), None)


def _in_a_window(target: Target, local: datetime) -> bool:
    day, now = _DAYS[local.weekday()], local.time()
    return any(day in window.days and window.start <= now < window.until for window in target.windows)


def _next(target: Target, at: float) -> str:
    found = opens(target, at)
    if found is None:
        return "; it does not open within a year"
    return f"; it opens {datetime.fromtimestamp(found, UTC).astimezone(target.timezone):%a %Y-%m-%d %H:%M %Z}"
