"""What every command has: where it writes and in which form, its settings, and one place that tells errors.

A command says what it has to say once: `show` is for people, `say` is what is left of that with -q, and `answer` is the
data behind it, for --json; adapters/json_lines.py says what form that has.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, NoReturn

import anyio
from rich.console import Console, RenderableType

from sluice.adapters.json_lines import JsonLines
from sluice.adapters.progress import shown_progress
from sluice.errors import SettingsError, SluiceError
from sluice.pipeline import leaves
from sluice.ports import Progress
from sluice.report.words import printable
from sluice.settings import Settings, load_settings

_WIDE = 160  # where the output is no terminal: a log, which scrolls sideways


def _console(stream: IO[str], *, stderr: bool) -> Console:
    width = None if stream.isatty() or os.environ.get("COLUMNS", "").isdigit() else _WIDE
    return Console(width=width, soft_wrap=True, stderr=stderr, highlight=False, markup=False)


_out, err = _console(sys.stdout, stderr=False), _console(sys.stderr, stderr=True)

Mode = Literal["auto", "upstream", "source"]


@dataclass
class _Asked:
    """How the command line wants it said, and what was said so far."""

    command: str = "sluice"
    quiet: bool = False
    json: bool = False
    said: list[str] = field(default_factory=list)
    data: dict[str, object] = field(default_factory=dict)

    @property
    def lines(self) -> JsonLines:
        return JsonLines(_write, quiet=self.quiet)


_asked = _Asked()


def ask(command: str, *, quiet: bool, json: bool) -> None:
    """Set how all that follows is said; `command` is its name in the result."""
    _asked.command, _asked.quiet, _asked.json = command, quiet, json
    _asked.said, _asked.data = [], {}


def wants_json() -> bool:
    """Whether nothing but JSON lines may be on stdout."""
    return _asked.json


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
        _tell([error])
        sys.exit(2)
    return settings


def finish(work: Callable[[], Awaitable[int]]) -> NoReturn:
    """Run a command to its exit status; what was raised on purpose is told as it is."""
    status = 2
    try:
        status = anyio.run(work)
    except* SluiceError as group:
        _tell(leaves(group))
    except* OSError as group:
        _tell(
            [
                SluiceError(f"{error.filename or 'this host'}: {error.strerror}", next_command="./nox -s doctor")
                for error in leaves(group)
            ]
        )
    except* KeyboardInterrupt:
        tell_mistake("stopped")
        status = 130
    else:
        if _asked.json:
            text = "\n".join(_asked.said)
            _asked.lines.result(_asked.command, exit_status=status, text=text, data=_asked.data)
    sys.exit(status)


def _tell(errors: Sequence[SluiceError]) -> None:
    for error in errors:
        if _asked.json:
            _asked.lines.raised(error)
        else:
            err.print(f"\n✗ {printable(str(error))}")


def tell_mistake(failed: str, *, next_command: str = "") -> None:
    """Tell what is wrong in a line, where there was no work yet or there is none any more."""
    if _asked.json:
        _asked.lines.error(failed, next_command=next_command)
    else:
        err.print(failed)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show what is going on: bars, lines, JSON lines, or with -q nothing."""
    if _asked.json:
        yield _asked.lines
    elif _asked.quiet:
        yield _Silence()
    else:
        with shown_progress(err) as shown_here:
            yield shown_here


class _Silence:
    """Progress that is not shown."""

    def begin(self, task: str, *, expected_seconds: float | None = None) -> None:
        pass

    def update(self, task: str, text: str) -> None:
        pass

    def end(self, task: str, *, outcome: str, detail: str = "") -> None:
        pass


def note(text: str) -> None:
    """Tell what happens where there is no progress to tell it."""
    if _asked.json:
        _asked.lines.note(text)
    elif not _asked.quiet:
        err.print(f"  {printable(text)}")


def show(*shown_here: RenderableType) -> None:
    """Print tables and lines for people; not with -q, not with --json."""
    if not _asked.quiet and not _asked.json:
        for one in shown_here:
            _out.print(one)


def say(*lines: RenderableType) -> None:
    """Print the lines that matter, with -q too; with --json they are the result's text."""
    if _asked.json:
        _asked.said += [str(line) for line in lines]
    else:
        for line in lines:
            _out.print(line)


def page(text: str) -> None:
    """Print a document as it is, with -q too: it is all that was asked for. With --json it is the result's `page`."""
    if _asked.json:
        answer(page=text)
    else:
        sys.stdout.write(text)


def answer(**data: object) -> None:
    """Give what the command found as the data of its result: frozen dataclasses, lists, texts, numbers, paths."""
    _asked.data.update(data)


def say_end(folder: Path, failures: Sequence[str], line: str) -> None:
    """The end of a run: what broke it, what it comes to, and where to read on."""
    evidence, report = shown(folder), shown(folder / "report.html")
    if not _asked.json:
        for failure in failures:
            err.print(f"\n✗ {printable(failure)}")
    show("")
    say(line, f"evidence: {evidence}   report: {report}")
    answer(failures=failures, evidence=evidence, report=report)


def shown(path: Path) -> str:
    """A path as one would type it here."""
    return str(path.relative_to(root())) if path.is_relative_to(root()) else str(path)


def _write(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()
