"""A new project in a folder of its own: written beside it, then put there by one rename."""

import importlib.util
import keyword
import os
import re
import shutil
from pathlib import Path

from sluice.adopting.parts import parts
from sluice.adopting.record import FILE, Record, fingerprint, place
from sluice.adopting.release import write_release
from sluice.adopting.templates import add_all, module_of
from sluice.errors import ProjectError
from sluice.slo import files as slo_files

SERVICE = "hello"
COMMAND = "./nox -s init -- --into DIR"
# A label of Kubernetes, short enough for what is called after it; its package has `_` for `-`.
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?")


def begin(root: Path, into: Path, service: str, revision: str) -> int:
    """Write a project with one service, and return how many of its files are Sluice's.

    `root` is Sluice's tree of that revision. Raises ProjectError where the folder is not empty or in Sluice's own tree,
    or the service cannot be called that; OSError. A kill leaves nothing but `.<folder>.sluice-init` beside the folder.
    """
    into = checked_place(root, into)
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        ours = (into / FILE).is_file()
        raise ProjectError(
            f"{into} is {'a project already' if ours else 'not empty'}",
            seen=FILE if ours else _what(into),
            expected="an empty folder, or none",
            next_command=f"./nox -s init -- --into {into} --update" if ours else COMMAND,
        )
    check_name(root, service)
    staging = into.with_name(f".{into.name}.sluice-init")
    shutil.rmtree(staging, ignore_errors=True)  # of one that was killed
    try:
        copied = parts(root)
        for name in copied:
            place(root / name, staging / name)
        add_all(staging, service)
        write_release(root, staging)
        slo_files.write(staging)
        Record(revision, {name: fingerprint(staging / name) for name in copied}).write(staging)
        os.replace(staging, into)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return len(copied)


def checked_place(root: Path, into: Path) -> Path:
    """Return a project's folder as an absolute path. Raises ProjectError where it cannot be one."""
    if (root / FILE).exists():
        raise ProjectError(
            "this is a project that has Sluice's part copied, and not Sluice",
            seen=f"{root / FILE}",
            expected="Sluice's own tree: projects are made of it, and kept up from it",
            next_command="the same in a checkout of Sluice",
        )
    found, own = into.resolve(), root.resolve()
    if found.is_relative_to(own) or own.is_relative_to(found):
        raise ProjectError(
            f"{found} is no place for a project",
            seen=f"Sluice's own tree is {own}",
            expected="a folder outside of it",
            next_command=COMMAND.replace("DIR", f"../{SERVICE}"),
        )
    return found


def check_name(root: Path, service: str) -> None:
    """Raise ProjectError where a service cannot be called that."""
    module = module_of(service)
    taken = {path.name for folder in ("k8s-fixtures", "helm") for path in (root / folder).glob("*/")}
    taken -= {path.parent.name for path in (root / "services").glob("*/service.toml")}
    if not _NAME.fullmatch(service):
        seen = "it is no name of a Service: small letters, digits and `-`, a letter first, no more than 42"
    elif service in taken or module == "servicekit":
        seen = "a chart or a fixture has that name"
    elif keyword.iskeyword(module) or _found(module):
        seen = f"Python has a word or a module {module} already"
    else:
        return
    raise ProjectError(
        f"a service cannot be called {service!r}",
        seen=seen,
        expected="a name such as hello or order-desk",
        next_command=f"{COMMAND} --service {SERVICE}",
    )


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # loaded, and without a specification: __main__
        return True


def _what(folder: Path) -> str:
    """What is in the way, shortly."""
    if not folder.is_dir():
        return "a file"
    there = sorted(path.name for path in folder.iterdir())
    return ", ".join(there[:5]) + (f" and {len(there) - 5} more" if len(there) > 5 else "")
