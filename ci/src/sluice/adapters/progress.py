"""What the user sees while things run: bars on a terminal, lines everywhere else (CI, a file, a pipe)."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_TEXT_WIDTH = 60
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
            self._print(f"  {text}")
        elif time.monotonic() - self._said[task] > _WORD_EVERY_SECONDS:
            self._said[task] = time.monotonic()
            self._print(f"  {task}: {_clock(time.monotonic() - self._begun[task])}, {text[:_TEXT_WIDTH]}")

    def end(self, task: str, *, outcome: str, detail: str = "", begun: float | None = None) -> None:
        """Print how work ended and the seconds it took; `begun` is for whoever kept that time himself."""
        begun = self._begun.pop(task, time.monotonic()) if begun is None else begun
        seconds = time.monotonic() - begun
        sign = {"done": "✓", "cancelled": "–"}.get(outcome, "✗")
        self._print(f"{sign} {task} {seconds:.1f} s{', ' + detail if detail else ''}")

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


class Bars:
    """A bar for each piece of work, with its last word, the time elapsed and the time it took last time."""

    def __init__(self, console: Console) -> None:
        self._lines = Lines(console)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[last]}"),
            TextColumn("{task.fields[text]}", style="dim", markup=False),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, tuple[TaskID, float, float | None]] = {}

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bars for the time of a run."""
        with self._bars:
            yield

    def begin(self, task: str, *, expected_seconds: float | None = None) -> None:
        """Show a bar."""
        last = f"of {_clock(expected_seconds)} last time" if expected_seconds else ""
        bar = self._bars.add_task(task, total=expected_seconds, last=last, text="")
        self._tasks[task] = (bar, time.monotonic(), expected_seconds)

    def update(self, task: str, text: str) -> None:
        """Show the last word at its bar."""
        if task not in self._tasks:
            self._lines.update(task, text)
            return
        bar, begun, expected = self._tasks[task]
        # A bar that reaches its end before the work does would lie: it waits at 97 %.
        done = min(time.monotonic() - begun, 0.97 * expected) if expected else None
        self._bars.update(bar, text=text.replace("\n", " ")[:_TEXT_WIDTH], completed=done)

    def end(self, task: str, *, outcome: str, detail: str = "") -> None:
        """Replace the bar by a line."""
        bar, begun, _ = self._tasks.pop(task)
        self._bars.remove_task(bar)
        self._lines.end(task, outcome=outcome, detail=detail, begun=begun)


@contextmanager
def shown_progress(console: Console | None = None) -> Iterator[Bars | Lines]:
    """Give the right kind of progress for where the output goes."""
    console = console or Console(file=sys.stderr)
    if not console.is_terminal:
        yield Lines(console)
        return
    bars = Bars(console)
    with bars.shown():
        yield bars


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
