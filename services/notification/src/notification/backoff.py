"""How long to wait before the next attempt: exponential, with jitter, up to a cap."""

from __future__ import annotations

from dataclasses import dataclass

from notification.settings import NotificationSettings


@dataclass(frozen=True)
class Backoff:
    """The longest waits are `first`, `first * factor`, `first * factor²`, … seconds, and never more than `cap`."""

    first: float
    factor: float
    cap: float

    @classmethod
    def of(cls, settings: NotificationSettings) -> Backoff:
        """Take the three from the settings."""
        return cls(
            settings.delivery_retry_first_seconds,
            settings.delivery_retry_factor,
            settings.delivery_retry_cap_seconds,
        )

    def seconds(self, attempt: int, share: float) -> float:
        """Return the wait after a failed attempt (the first one is 1); `share` is random, from 0 to 1.

        Half of the wait is fixed and half is random ("equal jitter"), so that deliveries that failed together,
        because their receiver was away, do not come back together.
        """
        longest = min(self.cap, self.first * self.factor ** (attempt - 1))
        return longest * (1 + share) / 2
