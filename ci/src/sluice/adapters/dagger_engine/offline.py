"""What an engine that reaches no container registry starts from, laid out as one folder out of this host's cache.

base.tar    the component `toolbox`
wheels/     what requirements/sluice.txt locks
go/         this host's Go toolchain
supply/     the newest of each component that was obtained, so that a run inside builds nothing again
"""

import os
import shutil
from pathlib import Path

import anyio

from sluice.adapters.process import run
from sluice.domain import Component
from sluice.supply import artifact

_SECONDS = 60


async def lay_out(target: Path, *, toolbox: Component, wheels: Path, supply: Path) -> Path:
    """Fill `target` and return it; files are linked where the file system can, since they are many gigabytes.

    `wheels` is the wheelhouse of requirements/sluice.txt, `supply` the cache's folder of components.
    """
    go = await _go_root()

    def fill() -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        _link(str(artifact.archive(toolbox)), str(target / "base.tar"))
        _tree(wheels, target / "wheels")
        _tree(go, target / "go")
        for component in sorted(path for path in supply.iterdir() if path.is_dir()):
            if newest := _newest(component):
                _tree(newest, target / "supply" / component.name / newest.name)

    await anyio.to_thread.run_sync(fill)
    return target


async def _go_root() -> Path:
    return Path((await run(["go", "env", "GOROOT"], deadline_seconds=_SECONDS)).stdout.strip())


def _newest(component: Path) -> Path | None:
    """The key obtained last; a folder without component.json is not whole."""
    records = sorted(component.glob("*/component.json"), key=lambda record: record.stat().st_mtime)
    return records[-1].parent if records else None


def _tree(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, copy_function=_link)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        shutil.copy2(source, target, follow_symlinks=False)
    return target
