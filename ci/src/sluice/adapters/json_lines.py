"""What happens as JSON lines, for programs that read along.

One object a line, in ASCII. Each has `v` (1), `time` (UTC) and `event`; what is not known is left out:

    begin     task, expected_seconds: what it took last time
    progress  task, text, seconds since it began; a task's words come 5 s apart or more
    end       task, outcome (done, failed or cancelled), seconds, text
    note      text that belongs to no task, and its source as task
    result    task (the command), exit_status, text (its last lines), data: what a terminal shows as tables
    error     failed, seen, expected, next: each text

A reader has to pass over events and fields that it does not know: new ones may come under the same `v`.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import PurePath

from sluice.errors import SluiceError
from sluice.masking import masked_json, masker

VERSION = 1
_WORD_EVERY_SECONDS = 5.0


class JsonLines:
    """Progress, results and errors as lines to `write`; secrets are masked by their names and shapes."""

    def __init__(self, write: Callable[[str], object], *, quiet: bool = False) -> None:
        self._write, self._quiet, self._mask = write, quiet, masker()
        self._begun: dict[str, float] = {}
        self._said: dict[str, float] = {}

    def begin(self, task: str, *, expected_seconds: float | None = None) -> None:
        """Tell that work begins, with the time it took last time."""
        self._begun[task] = time.monotonic()
        self._progress("begin", task=task, expected_seconds=expected_seconds)

    def update(self, task: str, text: str) -> None:
        """Tell a word now and then; what belongs to no work that has begun is told at once."""
        now, begun = time.monotonic(), self._begun.get(task)
        if begun is None:
            self.note(text, task=task)
        elif now - self._said.get(task, -math.inf) >= _WORD_EVERY_SECONDS:
            self._said[task] = now
            self._progress("progress", task=task, text=text, seconds=round(now - begun, 1))

    def end(self, task: str, *, outcome: str, detail: str = "") -> None:
        """Tell how work ended and the seconds it took."""
        now = time.monotonic()
        seconds = round(now - self._begun.pop(task, now), 1)
        self._said.pop(task, None)
        self._progress("end", task=task, outcome=outcome, seconds=seconds, text=detail or None)

    def note(self, text: str, *, task: str = "") -> None:
        """Tell what belongs to no task."""
        self._progress("note", task=task or None, text=text)

    def result(self, task: str, *, exit_status: int, text: str, data: Mapping[str, object]) -> None:
        """Tell what a command came to. `data` may hold frozen dataclasses and paths; NaN and infinity become text."""
        self._event("result", task=task, exit_status=exit_status, text=text, data=data)

    def error(self, failed: str, *, seen: str = "", expected: str = "", next_command: str = "") -> None:
        """Tell what went wrong."""
        told = {"failed": failed, "seen": seen, "expected": expected, "next": next_command}
        self._event("error", **{name: text for name, text in told.items() if text})

    def raised(self, error: SluiceError) -> None:
        """Tell an error that was raised on purpose."""
        self.error(error.failed, seen=error.seen, expected=error.expected, next_command=error.next_command)

    def _progress(self, event: str, **given: object) -> None:
        if not self._quiet:
            self._event(event, **given)

    def _event(self, event: str, **given: object) -> None:
        told = {"v": VERSION, "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "event": event}
        found = {name: _plain(value) for name, value in given.items() if value is not None}
        # In ASCII nothing that a program said can steer a terminal, or break a line that is read by another.
        self._write(json.dumps({**told, **_masked(found, self._mask)}, allow_nan=False) + "\n")


def _masked(found: dict[str, object], mask: Callable[[str], str]) -> dict[str, object]:
    masked = masked_json(found, mask)
    assert isinstance(masked, dict)
    return masked


def _plain(value: object) -> object:
    """The value as json.dumps takes it, to any depth."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, PurePath) else value
