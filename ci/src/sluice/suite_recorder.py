"""A pytest plugin that writes what each test did, as it happens, so that a killed run has told all it knew.

One JSON object a line, in the file that the environment variable SLUICE_E2E_RESULTS names:

    {"event": "collected", "tests": [id, …], "marks": {id: [marker's name, …]}}
    {"event": "broken",    "test": id, "message": …}                      a file that cannot be collected
    {"event": "started",   "test": id, "at": seconds since the epoch}
    {"event": "request",   "test": id, "request_id": …}
    {"event": "trace",     "test": id, "trace_id": …}                     W3C Trace Context, 32 hexadecimal digits
    {"event": "finished",  "test": id, "seconds": …, "outcome": …, "message": …, "report": …}

`report`, of a test that did not pass, is all that pytest has to say of it: traceback, output, log.
`steps/run_suites.py` loads it with `-p sluice.suite_recorder` and reads the file.
"""

import json
import os
import time
from pathlib import Path

import pytest

from sluice.domain import Outcome
from sluice.masking import beginning, ending

RESULTS_VARIABLE = "SLUICE_E2E_RESULTS"
RECORDER = "sluice-recorder"
_MESSAGE_LIMIT = 4_000
_REPORT_LIMIT = 40_000


def pytest_configure(config: pytest.Config) -> None:
    """Start recording, where a file to record to is named."""
    path = os.environ.get(RESULTS_VARIABLE)
    if path:
        config.pluginmanager.register(Recorder(Path(path)), RECORDER)


class Recorder:
    """The hooks; `request` is for the suites' clients."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._started = 0.0
        self._outcome: Outcome = "passed"
        self._message = ""
        self._report = ""

    def request(self, test: str, request_id: str) -> None:
        """Note the id of a request that a test makes."""
        self._write(event="request", test=test, request_id=request_id)

    def trace(self, test: str, trace_id: str) -> None:
        """Note the id of a trace that a test begins."""
        self._write(event="trace", test=test, trace_id=trace_id)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what cannot be collected."""
        if report.failed:
            message = ending(report.longreprtext, _MESSAGE_LIMIT)
            self._write(event="broken", test=report.nodeid or "collection", message=message)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what will run, so that what did not is known."""
        marks = {item.nodeid: sorted({mark.name for mark in item.iter_markers()}) for item in session.items}
        self._write(event="collected", tests=list(marks), marks=marks)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test starts: its window opens."""
        self._started, self._outcome, self._message, self._report = time.time(), "passed", "", ""
        self._write(event="started", test=nodeid, at=self._started)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Set-up, call and teardown each report; the first that is not well decides."""
        if report.passed or self._outcome != "passed":
            return
        if report.skipped:
            self._outcome = "skipped"
        else:
            self._outcome = "failed" if report.when == "call" else "error"
            self._report = _report(report)
        self._message = _message(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test ended: its window closes."""
        self._write(
            event="finished",
            test=nodeid,
            seconds=round(time.time() - self._started, 3),
            outcome=self._outcome,
            message=self._message,
            report=self._report,
        )

    def _write(self, **event: object) -> None:
        # Opened and closed for each line: what is written stays, whatever kills the process next.
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


def _message(report: pytest.TestReport) -> str:
    """What failed; where there are several (an exception group), the end of the traceback says it best."""
    if isinstance(report.longrepr, tuple):
        return beginning(str(report.longrepr[2]), _MESSAGE_LIMIT)  # a skip: path, line, reason
    crash = getattr(report.longrepr, "reprcrash", None)
    text = report.longreprtext
    if crash is None or "ExceptionGroup" in crash.message:
        return ending(text, _MESSAGE_LIMIT)
    return f"{beginning(crash.message, _MESSAGE_LIMIT)}\nat {crash.path}:{crash.lineno}"


def _report(report: pytest.TestReport) -> str:
    """The traceback, and what the test printed and logged; the end of it, for there the cause stands."""
    sections = [f"\n--- {title} ---\n{text}" for title, text in report.sections]
    return ending("\n".join([report.longreprtext, *sections]), _REPORT_LIMIT)
