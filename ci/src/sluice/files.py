"""Writing files so that a kill or a full disk leaves them whole or as they were."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file under another name and put it in place by one rename. Raises OSError, and `path` is as it was.

    One that is `private` is nobody else's to read, from its first byte on.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if private:
            temporary.unlink(missing_ok=True)  # of a process of that number that was killed: its mode may be another
            temporary.touch(mode=0o600)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # a full disk may say so no earlier
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def append_line(path: Path, line: str) -> None:
    """Add a line to a file, opened and closed for it: what is written stays, whatever kills the process next.

    Where an earlier line was cut (a kill, a full disk) the new one begins on its own. Raises OSError.
    """
    with path.open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            torn = file.read(1) != b"\n"
        else:
            torn = False
        file.write((b"\n" if torn else b"") + line.encode(errors="replace") + b"\n")


def whole_lines(path: Path) -> Iterable[str]:
    """The lines of a file that ended; none where there is no file. A last line that a kill cut is left out."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return text.split("\n")[:-1]


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file with one in a line; none where there is no file. What is no object is left out."""
    for line in whole_lines(path):
        with suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict):
                yield value


def tail(path: Path, size: int) -> str:
    """The last `size` bytes of a text file; an empty text where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def locked(path: Path) -> int | None:
    """Return the descriptor of a file that is locked for as long as it is open; None where another process has it.

    It is made where it is not there, and what it holds is left. The kernel lets go of it, whatever ends the process
    (flock(2)), and no program that we start inherits it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


class Reserve:
    """Room on the disk that is kept for what must be written last, when the disk may be full: a file of that size."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, size: int) -> None:
        """Take `size` bytes, really (not as a hole)."""
        # A disk as full as that is told by whatever is written next.
        with suppress(OSError), self._path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    def release(self) -> None:
        """Give the room back; harmless when done twice, or by another process than the one that took it."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
