"""The processes of the suites: one that collects, then one a lane, all under one deadline and with one record."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sluice
from sluice.files import json_lines
from sluice.steps.suite_plan import SUITES_FOLDER, Test, file_of
from sluice.steps.suite_process import reason_of, run_pytest, unended
from sluice.suite_recorder import RESULTS_VARIABLE

CONTEXT_VARIABLE = "SLUICE_E2E_CONTEXT"
JUNIT = "junit.xml"
LOGS = ("suites.log", "suites-beside.log")  # of a phase's lanes
_ENDED = re.compile(rf"{SUITES_FOLDER}/(\S+::.*?) (PASSED|FAILED|ERROR|SKIPPED)\b")  # as pytest -v has it
_FAILED_TESTS = 1  # pytest's exit status; every other but 0 says that tests were not run as they should


class Running:
    """The processes of one run of the suites; `context` and `record` are the files that they read and write.

    `status` is the worst exit status so far, `tail` what that process said last, `seconds` the deadline of them all,
    `total` the number of tests that are to run, for whoever reads along; 0 where that is not counted.
    """

    def __init__(
        self, root: Path, context: Path, record: Path, deadline_seconds: float, on_line: Callable[[str], None]
    ) -> None:
        self.status, self.tail, self.seconds = 0, "", deadline_seconds
        self._root, self._context, self._record, self._on_line = root, context, record, on_line
        self._end = time.monotonic() + deadline_seconds
        self._count = self.total = 0
        self._told: set[str] = set()
        self._files: dict[str, list[str]] = {}

    async def collect(self, suites: Sequence[str]) -> list[Test]:
        """All tests of the suites, with their markers; what cannot be collected is in the record, and in `status`."""
        folders = [f"{SUITES_FOLDER}/{suite}" for suite in suites]
        status, tail = await self.pytest([*folders, "--collect-only", "-qq"], LOGS[0], self._record)
        self._note(status, tail)
        marks = [event["marks"] for event in events_of(self._record) if event["event"] == "collected"]
        found = [Test(test, frozenset(names)) for each in marks for test, names in each.items()]
        for test in found:
            self._files.setdefault(file_of(test.id), []).append(test.id)
        return found

    async def lane(self, tests: Sequence[str], log: str) -> None:
        """Run tests in one process, in this order, and write down those that it did not bring to their end."""
        self._count += 1
        junit = self._record.with_name(f"{self._count}-{JUNIT}")
        status, tail = await self.pytest([*self._words(tests), "-v", f"--junitxml={junit}"], log, self._record)
        self._note(status, tail)
        self._end_all(tests, reason_of(status, self.seconds), tail)

    def _end_all(self, tests: Sequence[str], reason: str, tail: str) -> None:
        """Give those of the tests an end in the record that have none: with the cause that was theirs."""
        at: dict[str, float] = {}
        finished: set[str] = set()
        for event in events_of(self._record):
            if event["event"] == "started":
                at[event["test"]] = event["at"]
            elif event["event"] == "finished":
                finished.add(event["test"])
        now = time.time()
        with self._record.open("a", encoding="utf-8") as file:
            for test in tests:
                if test not in finished:
                    said = unended(test in at, reason, tail)
                    end = {"seconds": round(now - at.get(test, now), 3), "outcome": "error", "message": said}
                    file.write(json.dumps({"event": "finished", "test": test, "unfinished": True, **end}) + "\n")

    async def pytest(self, words: Sequence[str], log: str, record: Path) -> tuple[int, str]:
        """Run a pytest until the deadline; returns its exit status and its last lines."""
        argv = [
            *(sys.executable, "-m", "pytest", "-p", "sluice.suite_recorder", "-p", "no:cacheprovider"),
            *("-p", "no:hypothesispytest"),  # no suite uses it, and it takes most of a start's time
            *("--tb=short", "--color=no", f"--rootdir={self._root}", *words),
        ]
        environment = _environment(self._context, record)
        return await run_pytest(
            argv, self._root, environment, self._record.with_name(log), self.left(), self._say, told=self.seconds
        )

    def _say(self, line: str) -> None:
        """Tell a line of pytest's; one on a test's end by how many there have been."""
        ended = _ENDED.match(line) if self.total else None
        if ended:
            self._told.add(ended[1])
            line = f"{len(self._told)} of {self.total} tests, {ended[1]} {ended[2].lower()}"
        self._on_line(line)

    def left(self) -> float:
        """The seconds until the deadline."""
        return max(0.0, self._end - time.monotonic())

    def _words(self, tests: Sequence[str]) -> list[str]:
        """The tests as pytest takes them: a file where all of it is asked for."""
        mine = set(tests)
        whole = {file for file, its in self._files.items() if mine.issuperset(its)}
        return list(dict.fromkeys(file_of(test) if file_of(test) in whole else test for test in tests))

    def _note(self, status: int, tail: str) -> None:
        if status != 0 and self.status in (0, _FAILED_TESTS):
            self.status, self.tail = status, tail


def _environment(context_file: Path, record: Path) -> dict[str, str]:
    # PYTEST_ADDOPTS could leave tests out without a trace.
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    package = str(Path(sluice.__file__).resolve().parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (package, environment.get("PYTHONPATH"))))
    environment |= {
        CONTEXT_VARIABLE: str(context_file.resolve()),
        RESULTS_VARIABLE: str(record.resolve()),
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
    }
    return environment


def events_of(record: Path) -> Iterator[dict[str, Any]]:
    """The events that the recorder wrote so far."""
    return (event for event in json_lines(record) if "event" in event)
