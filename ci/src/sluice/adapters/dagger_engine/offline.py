"""What an engine that reaches no container registry starts from, laid out as one folder out of this host's cache.

base.tar    the component `toolbox`
wheels/     what requirements/sluice.txt locks
go/         this host's Go toolchain
modules/    what our own Go programs and their tests import
supply/     the newest of each component that was obtained, so that a run inside builds nothing again; and the wheels
            of every lock of the services
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import anyio

from sluice.adapters.process import run
from sluice.domain import Component
from sluice.errors import HostError
from sluice.supply import artifact
from sluice.supply.go import fetch_modules

_SECONDS = 60
_BASE = "base.tar"


async def lay_out(target: Path, *, toolbox: Component, wheels: Path, supply: Path, also: Sequence[Path] = ()) -> Path:
    """Fill `target` and return it; files are linked where the file system can, since they are many gigabytes.

    `wheels` is the wheelhouse of requirements/sluice.txt, `supply` the cache's folder of components; `also` are
    artifacts in there that are taken whether they are the newest of their name or not. Raises HostError for a folder
    that holds something else: it would be removed.
    """
    if target.exists() and not (target / _BASE).is_file() and not (target.is_dir() and not any(target.iterdir())):
        raise HostError(
            f"{target} is not what was laid out for an engine before",
            seen="something else, which would be removed", expected=f"nothing there, or a folder with {_BASE}",
            next_command="./nox -s supply -- --offline .sluice/offline",
        )  # fmt: skip
    go = await _go_root()

    def fill() -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        _link(str(artifact.archive(toolbox)), str(target / _BASE))
        _tree(wheels, target / "wheels")
        _tree(go, target / "go")
        newest = [_newest(component) for component in sorted(path for path in supply.iterdir() if path.is_dir())]
        for whole in dict.fromkeys([*filter(None, newest), *(one.parent for one in also)]):
            _tree(whole, target / "supply" / whole.parent.name / whole.name)

    await anyio.to_thread.run_sync(fill)
    await fetch_modules(target.resolve() / "modules")
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
