"""The folder of a failure: what is written into it is masked and bounded, and what is left out is said."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sluice.errors import in_a_line
from sluice.files import write_atomically

FOLDER = "failure"
_FILE_BYTES = 1024 * 1024
CUT_FILE = "cut.txt"  # of a run: what its files leave out, a line each


class Bundle:
    """Files below a run's folder, at most `room` bytes of them. Nothing here raises.

    What is left out is added to `cut`, a line each; `open` is what a deadline would leave unread.
    """

    def __init__(self, run: Path, mask: Callable[[str], str], room: int, cut: list[str]) -> None:
        self._run = run
        self.mask = mask
        self.room = room
        self.files: list[str] = []
        self.cut = cut
        self.open: list[str] = []

    def write(
        self, name: str, text: str, *, limit: int = _FILE_BYTES, keep_end: bool = False, must: bool = False
    ) -> bool:
        """Write a file, masked, of at most `limit` bytes: its beginning, or its end. False where it could not be.

        What `must` be there does not ask for room: first pages, which are short.
        """
        # Masked before it is cut: half a secret would not be known for one.
        text, lost = _fitting(self.mask(text), limit if must else min(limit, max(self.room, 0)), keep_end=keep_end)
        if lost:
            self.cut.append(f"{name}: {lost} bytes of its {'beginning' if keep_end else 'end'}: no more room")
        path = self._run / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            data = text.encode(errors="replace")
            write_atomically(path, data)
        except OSError as error:
            self.cut.append(f"{name}: not written: {error.strerror}")
            return False
        self.room -= len(data)
        self.files.append(name)
        return True


def _fitting(text: str, limit: int, *, keep_end: bool) -> tuple[str, int]:
    """The whole lines of a text that have room in `limit` bytes, and how many bytes have none."""
    data = text.encode(errors="replace")
    if len(data) <= limit:
        return text, 0
    if keep_end:
        kept = data[len(data) - limit :].partition(b"\n")[2]
    else:
        kept = data[:limit].rpartition(b"\n")[0] + b"\n" if limit else b""
    return kept.decode(errors="replace"), len(data) - len(kept)


def cause(error: Exception) -> str:
    """What failed and what was seen, in one line."""
    return in_a_line(error).partition("\n")[0]


def moment(at: float) -> str:
    """A time, in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
