"""This host's copy of a target's ledger: what the target had when it was last read here, one entry a line.

Whoever may write to the target could write its ledger anew, from the first entry, with every digest right. The copies
on the machines that promote tell it: each is the beginning of the ledger, as far as its machine has seen it.
"""

from collections.abc import Sequence
from pathlib import Path

from sluice.errors import LedgerError
from sluice.files import write_atomically
from sluice.promotion.ledger import Entry, broken, from_lines, to_lines


def read_copy(path: Path) -> tuple[Entry, ...]:
    """Return the entries of a copy; none where this machine has none yet. Raises LedgerError where it is not whole."""
    try:
        entries = from_lines(path.read_text(encoding="utf-8"))
        wrong = broken(entries)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unusable(path, f"it cannot be read: {error.strerror}") from None
    except ValueError as error:  # UnicodeDecodeError is one
        raise _unusable(path, str(error)) from None
    if wrong:
        raise _unusable(path, wrong)
    return entries


def keep_copy(path: Path, entries: Sequence[Entry]) -> None:
    """Write a ledger that is known to go on where the copy ends. Raises LedgerError where the file takes nothing.

    Another process of this machine may have seen more of it in the meantime, which stays. (Of two that write at the
    same moment the shorter one may win: then the copy has the rest when the ledger is read again.)
    """
    if len(read_copy(path)) >= len(entries):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, to_lines(entries).encode())
    except OSError as error:
        raise LedgerError(
            f"the copy of the ledger {path} cannot be written",
            seen=str(error.strerror),
            expected="a file that may be written",
            next_command="make room for it or mend its rights, then run this again: what is in the target stays",
        ) from None


def _unusable(path: Path, seen: str) -> LedgerError:
    return LedgerError(
        f"the copy of the ledger {path} is not what Sluice wrote",
        seen=seen,
        expected="a line of JSON for each entry, chained",
        next_command=f"find out who changed it, then mv {path} {path}.broken: the next one is made from the target's",
    )
