"""The content-addressed cache: what was obtained once is found again under the hash of everything that made it.

<cache>/supply/<component>/<key>/artifact/…    what was obtained
                                component.json  written last: a folder without it does not exist
<cache>/supply/<component>/tmp-…                work in progress; removed on the next use
<cache>/supply/<component>/lock                 held while one process works on it
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import anyio

from sluice.domain import Component, dump, load
from sluice.errors import CommandFailed, DiskFull, EvidenceError, NotReady

_LOCK_SECONDS = 3600
_KEPT = 2
_POLL_SECONDS = 0.5
_WORK = "tmp-"
_FULL = (errno.ENOSPC, errno.EDQUOT)


def key_of(parts: object) -> str:
    """Return the cache key of a JSON-able description: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def digest_of(path: Path) -> str:
    """Return `sha256:…` of a file, or of a folder's names, contents and executable bits in sorted order."""
    total = hashlib.sha256()
    if path.is_file():
        with path.open("rb") as file:
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    for child in sorted(p for p in path.rglob("*") if p.is_file()):
        mark = "*" if child.stat().st_mode & 0o100 else " "  # who may run it is content too, as it is to git
        total.update(f"{child.relative_to(path)}\0{mark}{digest_of(child)}\n".encode())
    return "sha256:" + total.hexdigest()


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


class Cache:
    """The cache under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, name: str, key: str) -> Component | None:
        """Return a component that is whole in the cache, or None."""
        record = self._folder(name) / key / "component.json"
        try:
            found = load(Component, record)
        except EvidenceError:
            return None
        path = record.parent / "artifact"
        if not path.exists():
            return None
        return Component(**{**vars(found), "path": str(path), "cached": True})

    @asynccontextmanager
    async def locked(self, name: str) -> AsyncIterator[None]:
        """Hold a component's lock; waits for another process that works on it, at most an hour."""
        with _no_room(self._folder(name)):
            self._folder(name).mkdir(parents=True, exist_ok=True)
            handle = os.open(self._folder(name) / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            deadline = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise NotReady(
                            f"{name}: another process has been working on it for {_LOCK_SECONDS / 60:.0f} min",
                            seen=f"the lock {self._folder(name) / 'lock'} is held",
                            expected="its end",
                            next_command="end the other run, then run this again",
                        ) from None
                    await anyio.sleep(_POLL_SECONDS)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def workspace(self, name: str) -> Iterator[Path]:
        """Give an empty folder to make an artifact in; gone afterwards unless `publish` took it."""
        folder = self._folder(name)
        for stale in folder.glob(f"{_WORK}*"):
            shutil.rmtree(stale, ignore_errors=True)
        work = folder / f"{_WORK}{os.getpid()}"
        with _no_room(folder):
            try:
                (work / "artifact").mkdir(parents=True)
                yield work / "artifact"
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def publish(self, artifact: Path, key: str, component: Component) -> Component:
        """Move a finished artifact to its place, whole or not at all, and return it as found there."""
        final = self._folder(component.name) / key
        work = artifact.parent
        done = Component(**{**vars(component), "path": str(final / "artifact")})
        (work / "component.json").write_bytes(dump(done))
        if final.exists():  # half of an artifact, from before this file's rule; or an other process was first
            shutil.rmtree(final)
        work.rename(final)
        self._forget_old(component.name)
        return done

    def _forget_old(self, name: str) -> None:
        """Keep the newest artifact and the one before it: a node image is more than a gigabyte."""
        records = [p for p in self._folder(name).glob("*/component.json") if not p.parent.name.startswith(_WORK)]
        for record in sorted(records, key=lambda p: p.stat().st_mtime)[:-_KEPT]:
            shutil.rmtree(record.parent, ignore_errors=True)

    def newest(self, name: str) -> Component | None:
        """Return the component of that name that was obtained last, whatever its key was, or None."""
        found = []
        for record in self._folder(name).glob("*/component.json"):
            if not record.parent.name.startswith(_WORK):  # one that was killed just before its last step
                with suppress(FileNotFoundError):  # removed by another process since
                    found.append((record.stat().st_mtime, record.parent.name))
        whole = (self.find(name, key) for _, key in sorted(found, reverse=True))
        return next((component for component in whole if component), None)

    def last_seconds(self, name: str) -> float | None:
        """Return how long obtaining a component took the last time, in seconds."""
        last = self.newest(name)
        return last.seconds if last else None

    def _folder(self, name: str) -> Path:
        return self.root / "supply" / name


@contextmanager
def _no_room(where: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, CommandFailed) as error:
        if not _is_full(error):
            raise
        existing = where
        while not existing.exists():
            existing = existing.parent
        free = shutil.disk_usage(existing).free
        raise DiskFull(
            f"no room left below {where}",
            seen=f"{free / 1e9:.1f} GB free",
            expected="20 GB free for a first run",
            next_command="free some room, then run this again: what is in the cache is unharmed "
            "(./nox -s clean -- --cache empties it)",
        ) from None


def _is_full(error: OSError | CommandFailed) -> bool:
    """Whether this process ran out of room, or a program of ours says that it did."""
    said = str(error).lower()  # shutil.Error, of a whole tree, has no errno
    return getattr(error, "errno", None) in _FULL or any(os.strerror(number).lower() in said for number in _FULL)
