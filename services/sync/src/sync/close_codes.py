"""Why a connection ends. Clients act on these codes; each is sent with a reason in words."""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """The codes that sync sends by itself."""

    INTERNAL_ERROR = 1011
    """The service failed, or the peer answered no ping. Connect again from the last sequence."""
    DRAINING = 1012
    """This replica stops. Connect again at once: another one answers."""
    TRY_LATER = 1013
    """Too many connections of the user or of the replica, or the database is away. Connect again after a pause."""
    NOT_UNDERSTOOD = 4400
    """What the client sent is not understood: a message, too many of them, or `after`. Mend the client."""
    TOKEN = 4401
    """The token is not accepted, or has expired meanwhile. Connect again with a fresh one, from the last sequence."""
    RESUME_POINT_GONE = 4409
    """What came after the resume point is no longer kept, or it was never given. Fetch everything anew."""
    TOO_SLOW = 4429
    """The client did not read fast enough. Connect again from the last sequence."""


# What a metric tells apart: ours, those of RFC 6455, and the rest, which clients may make up.
KNOWN_CODES = frozenset({1000, 1001, 1002, 1005, 1006, 1007, 1009, *CloseCode})
OTHER = "other"
_REASON_BYTES = 123


def code_label(code: int) -> str:
    """Return a code as a metric's label."""
    return str(int(code)) if code in KNOWN_CODES else OTHER


class Ended(Exception):
    """Raised where a connection ends: with which code, and the reason in words."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    @property
    def short_reason(self) -> str:
        """The reason, as long as a close frame allows (RFC 6455, 5.5: 125 bytes, two of them the code)."""
        return self.reason.encode()[:_REASON_BYTES].decode(errors="ignore")
