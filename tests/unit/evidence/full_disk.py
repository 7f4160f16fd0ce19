"""A disk that gets full: below a folder there is room for so many bytes, as os.posix_fallocate and files see it."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest


def full_disk(monkeypatch: pytest.MonkeyPatch, folder: Path, capacity: int) -> None:
    """From here on, whatever would take more than `capacity` bytes below `folder` fails with ENOSPC."""
    opened, allocated = Path.open, os.posix_fallocate

    def used() -> int:
        return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())

    def check(size: int) -> None:
        if used() + size > capacity:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open_(path: Path, mode: str = "r", *given: Any, **more: Any) -> Any:
        file = opened(path, mode, *given, **more)
        if path.is_relative_to(folder) and set(mode) & set("wa+"):
            write = file.write

            def checked(data: Any) -> Any:
                try:
                    check(len(data))
                except OSError:
                    file.close()
                    raise
                written = write(data)
                file.flush()
                return written

            return _File(file, checked)
        return file

    def allocate(descriptor: int, offset: int, size: int) -> None:
        check(size)
        allocated(descriptor, offset, size)

    monkeypatch.setattr(Path, "open", open_)
    monkeypatch.setattr(os, "posix_fallocate", allocate)


class _File:
    """A file whose writes are looked at."""

    def __init__(self, file: Any, write: Any) -> None:
        self._file = file
        self.write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
