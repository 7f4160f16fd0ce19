"""What the user sees while things run: bars on a terminal, lines everywhere else (CI, a file, a pipe)."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

_TEXT_WIDTH = 100
_BAR_FROM = 100  # columns; in a narrower terminal the words have a bar's place
_WORD_EVERY_SECONDS = 60.0


class Lines:
    """A line when work begins and ends, and a sign of life every minute of it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun: dict[str, float] = {}
        self._said: dict[str, float] = {}

    def begin(self, task: str, *, expected_seconds: float | None = None) -> None:
        """Print that work begins, with the time it took last time."""
        self._begun[task] = self._said[task] = time.monotonic()
        last = f", {_clock(expected_seconds)} last time" if expected_seconds else ""
        self._print(f"▶ {task}{last}")

    def update(self, task: str, text: str) -> None:
        """Print a word now and then; what belongs to no work that has begun is printed at once."""
        if task not in self._begun:
            self._print(f"  {_plain(text)}")
        elif time.monotonic() - self._said[task] > _WORD_EVERY_SECONDS:
            self._said[task] = time.monotonic()
            self._print(f"  {task}: {_clock(time.monotonic() - self._begun[task])}, {_plain(text, _TEXT_WIDTH)}")

    def end(self, task: str, *, outcome: str, detail: str = "", begun: float | None = None) -> None:
        """Print how work ended and the seconds it took; `begun` is for whoever kept that time himself."""
        begun = self._begun.pop(task, time.monotonic()) if begun is None else begun
        seconds = time.monotonic() - begun
        sign = {"done": "✓", "cancelled": "–"}.get(outcome, "✗")
        self._print(f"{sign} {task} {seconds:.1f} s{', ' + detail if detail else ''}")

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


class Bars:
    """A bar for each piece of work, with the time elapsed, the time it took last time, and its last word.

    Each takes one line, however narrow the terminal is.
    """

    def __init__(self, console: Console) -> None:
        self._lines = Lines(console)
        columns: list[ProgressColumn] = [
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=_cut()),
            _Clock(table_column=_cut()),
            TextColumn("{task.fields[text]}", style="dim", markup=False, table_column=_cut(ratio=1)),
        ]
        if console.width >= _BAR_FROM:
            columns.insert(2, BarColumn(bar_width=20))
        self._bars = Progress(*columns, console=console, transient=True, expand=True)
        self._tasks: dict[str, tuple[TaskID, float, float | None]] = {}

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bars for the time of a run."""
        with self._bars:
            yield

    def begin(self, task: str, *, expected_seconds: float | None = None) -> None:
        """Show a bar."""
        bar = self._bars.add_task(task, total=expected_seconds, text="")
        self._tasks[task] = (bar, time.monotonic(), expected_seconds)

    def update(self, task: str, text: str) -> None:
        """Show the last word at its bar."""
        if task not in self._tasks:
            self._lines.update(task, text)
            return
        bar, begun, expected = self._tasks[task]
        # A bar that reaches its end before the work does would lie: it waits at 97 %.
        done = min(time.monotonic() - begun, 0.97 * expected) if expected else None
        self._bars.update(bar, text=_plain(text), completed=done)

    def end(self, task: str, *, outcome: str, detail: str = "") -> None:
        """Replace the bar by a line."""
        bar, begun, _ = self._tasks.pop(task)
        self._bars.remove_task(bar)
        self._lines.end(task, outcome=outcome, detail=detail, begun=begun)


class _Clock(ProgressColumn):
    """The time elapsed, of the time that it took last time."""

    def render(self, task: Task) -> Text:
        last = f" of {_minutes(task.total)}" if task.total else ""
        return Text(f"{_minutes(task.elapsed or 0)}{last}", style="cyan")


@contextmanager
def shown_progress(console: Console) -> Iterator[Bars | Lines]:
    """Give the right kind of progress for where the output goes."""
    # FORCE_COLOR makes a terminal of anything, but a file or a pipe does not take a bar back. Some runners of CI have a
    # terminal and keep what it shows as a log: their CI says so.
    drawn = console.is_terminal and not console.is_dumb_terminal and console.file.isatty()
    if not drawn or os.environ.get("CI"):
        yield Lines(console)
        return
    bars = Bars(console)
    with bars.shown():
        yield bars


def _cut(ratio: int | None = None) -> Column:
    return Column(no_wrap=True, overflow="ellipsis", ratio=ratio)


def _plain(text: str, width: int | None = None) -> str:
    """What a program said, in one line (of `width`), without the sequences by which it would colour or move."""
    line = Text.from_ansi(text.strip().replace("\n", " "))
    if width:
        line.truncate(width, overflow="ellipsis")
    return line.plain


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _minutes(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02d}"
