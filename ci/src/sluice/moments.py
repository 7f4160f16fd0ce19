"""Times as texts, where programs read them, or people and programs."""

from datetime import UTC, datetime


def rfc3339(at: float) -> str:
    """Return a time in seconds since the epoch as RFC 3339 has it, in UTC and to the second: 2026-11-07T14:00:00Z.

    What is left of the second is dropped: the text never names a time that has not come.
    """
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
