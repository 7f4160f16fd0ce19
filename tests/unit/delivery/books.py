"""Ledgers to compute of, each promotion with the times of its states."""

from typing import Literal

from sluice.promotion.ledger import Entry, State, append

HOUR, DAY = 3600.0, 86_400.0
WAY: tuple[State, ...] = ("planned", "copied", "deployed", "verified")


class Book:
    """A ledger in the making; the ledger's own rules hold."""

    def __init__(self) -> None:
        self.entries: tuple[Entry, ...] = ()
        self._number = 0

    def had(
        self,
        release: str,
        at: float,
        *states: State,
        why: Literal["deploy", "rollback"] = "deploy",
        step: float = 60.0,
        promotion: str = "",
    ) -> "Book":
        """A promotion whose first state is at a time, and each further one `step` seconds later."""
        self._number += not promotion
        name = promotion or f"p{self._number}"
        for index, state in enumerate(states or WAY):
            entry = Entry(
                0, at + index * step, "gke", name, f"sha256:{release}", f"id-{release}", state, "Ada", why, ""
            )
            self.entries = append(self.entries, entry)
        return self

    def back(self, release: str, at: float, *states: State) -> "Book":
        """A rollback to a release."""
        return self.had(release, at, *states, why="rollback")
