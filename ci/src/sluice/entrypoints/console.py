"""What every command has: where it writes, its settings, and one place in which errors are told without a traceback."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal, NoReturn

import anyio
from rich.console import Console

from sluice.errors import SettingsError, SluiceError
from sluice.pipeline import leaves
from sluice.settings import Settings, load_settings

_WIDE = 150  # where the output is no terminal: a log, which scrolls sideways
out = Console(width=None if sys.stdout.isatty() else _WIDE, soft_wrap=True)
err = Console(width=None if sys.stderr.isatty() else _WIDE, soft_wrap=True, stderr=True)

Mode = Literal["auto", "upstream", "source"]


def root() -> Path:
    """The tree that is worked on: the current folder."""
    return Path.cwd()


def home(settings: Settings) -> Path:
    """The folder that holds the runs."""
    return root() / settings.run.folder


def settings_of(supply: Mode | None = None, runtime: str | None = None) -> Settings:
    """The tree's settings, with what the command line says; exits with status 2 where they are wrong."""
    try:
        settings = load_settings(root())
        if supply:
            settings = settings.model_copy(update={"supply": settings.supply.model_copy(update={"mode": supply})})
        if runtime:
            if runtime not in ("auto", "docker", "dagger"):
                raise SettingsError(
                    "the command line",
                    [f"--runtime {runtime}: no such runtime"],
                    expected="auto, docker or dagger",
                    next_command="./nox -s e2e -- --help",
                )
            settings = settings.model_copy(update={"run": settings.run.model_copy(update={"runtime": runtime})})
    except SluiceError as error:
        _show([error])
        sys.exit(2)
    return settings


def finish(work: Callable[[], Awaitable[int]]) -> NoReturn:
    """Run a command to its exit status; what was raised on purpose is shown as it is."""
    status = 2
    try:
        status = anyio.run(work)
    except* SluiceError as group:
        _show(leaves(group))
    except* OSError as group:
        for error in leaves(group):
            err.print(f"\n✗ {error.filename or 'this host'}: {error.strerror}", markup=False, highlight=False)
        err.print("  next:     ./nox -s doctor", markup=False, highlight=False)
    except* KeyboardInterrupt:
        err.print("stopped")
        status = 130
    sys.exit(status)


def _show(errors: list[SluiceError]) -> None:
    for error in errors:
        err.print(f"\n✗ {error}", markup=False, highlight=False)


def say_end(folder: Path, failures: Sequence[str], line: str) -> None:
    """The end of a run: what broke it, what it comes to, and where to read on."""
    for failure in failures:
        err.print(f"\n✗ {failure}", markup=False, highlight=False)
    out.print(f"\n{line}", highlight=False)
    out.print(f"evidence: {shown(folder)}   report: {shown(folder / 'report.html')}", highlight=False)


def shown(path: Path) -> str:
    """A path as one would type it here."""
    return str(path.relative_to(root())) if path.is_relative_to(root()) else str(path)
