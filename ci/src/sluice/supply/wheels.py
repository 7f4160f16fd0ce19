"""The PyPI recipe: the wheels of a lock file, downloaded on this host, so that image builds need no network."""

import sys
import time
from pathlib import Path

from sluice.adapters.process import run
from sluice.domain import Component
from sluice.ports import Progress
from sluice.supply.cache import Cache, digest_of, key_of, size_of

_DOWNLOAD_SECONDS = 900
# What the images hold: CPython of the base image, glibc of its Debian.
_PLATFORM = (
    "--python-version",
    "3.11",
    "--implementation",
    "cp",
    "--abi",
    "cp311",
    "--abi",
    "abi3",
    "--abi",
    "none",
    "--platform",
    "manylinux2014_x86_64",
    "--platform",
    "manylinux_2_28_x86_64",
    "--platform",
    "manylinux_2_34_x86_64",
)


async def wheelhouse(lock: Path, cache: Cache, progress: Progress, logs: Path) -> Path:
    """Return a folder with exactly the wheels that a hash-locked file names.

    Raises CommandFailed with pip's last lines: a hash that differs, a package without a wheel, no way to PyPI.
    """
    name = f"wheels-{lock.parent.name}"
    key = key_of([digest_of(lock), _PLATFORM])
    async with cache.locked(name):
        if found := cache.find(name, key):
            return Path(found.path)
        task = f"wheels of {lock.parent.name}"
        progress.begin(task, expected_seconds=cache.last_seconds(name))
        started, outcome = time.monotonic(), "failed"
        try:
            with cache.workspace(name) as into:
                await run(
                    [
                        sys.executable,
                        "-m",
                        "pip",
                        "download",
                        "--quiet",
                        "--disable-pip-version-check",
                        "--no-deps",
                        "--only-binary",
                        ":all:",
                        *_PLATFORM,
                        "--require-hashes",
                        "--requirement",
                        lock,
                        "--dest",
                        into,
                    ],
                    deadline_seconds=_DOWNLOAD_SECONDS,
                    log=logs / f"{name}.log",
                    what=f"downloading the {task}",
                    on_line=lambda line: progress.update(task, line.strip()),
                )
                seconds = round(time.monotonic() - started, 1)
                made = Component(name, key, "source", digest_of(into), str(into), size_of(into), seconds)
                done = cache.publish(into, key, made)
            outcome = "done"
        finally:
            progress.end(task, outcome=outcome)
    return Path(done.path)
