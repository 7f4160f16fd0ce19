"""Run the E2E suites in a pytest of their own, under a deadline, and return what each test did."""

import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import Any
from xml.etree import ElementTree as ET

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

import sluice
from sluice.domain import SuiteResults, TestResult, dump
from sluice.suite_recorder import RESULTS_VARIABLE

CONTEXT_VARIABLE = "SLUICE_E2E_CONTEXT"
SUITES_FOLDER = "tests/e2e"
DEADLINE_STATUS = 124  # what timeout(1) says
_GRACE_SECONDS = 3.0
_TAIL_LINES = 15


@dataclass(frozen=True)
class ServiceAddress:
    """A service of the cluster, for the API server's service proxy."""

    namespace: str
    name: str
    port: int


@dataclass(frozen=True)
class SuiteContext:
    """All that the suites know of the world, as a JSON file that SLUICE_E2E_CONTEXT names.

    `services` are the system's own, by name; `fixtures` are what they require, by name; `kube_context` is empty for the
    kubeconfig's current one; `helm` and `kubectl` are the programs that installed all that. `settings` are the
    variables with which another run of Sluice takes the same cluster.
    """

    run_id: str
    kubeconfig: str
    namespace: str
    services: dict[str, ServiceAddress]
    prometheus: ServiceAddress
    alertmanager: ServiceAddress
    loki: ServiceAddress
    evidence_dir: str
    fixtures: tuple[str, ...] = ()
    kube_context: str = ""
    helm: str = ""
    kubectl: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    quiet_minutes: float = 1.0


async def run_suites(
    *,
    root: Path,
    context: SuiteContext,
    suites: Sequence[str],
    evidence_dir: Path,
    deadline_seconds: float,
    on_line: Callable[[str], None],
) -> SuiteResults:
    """Run `tests/e2e/<suite>` of the tree at `root` and return every test's result.

    Writes suites.log, suites.jsonl, suites-context.json and junit.xml into the evidence. A failing test, a
    crash of the interpreter and the deadline are results, not errors: a test that did not get to its end is
    an `error` that says so, and so is a suite without any test. At the deadline the process group is killed.
    """
    record, junit, context_file = _prepare(evidence_dir, context)
    argv = [
        *(sys.executable, "-m", "pytest", "-p", "sluice.suite_recorder", "-p", "no:cacheprovider"),
        *("-v", "--tb=short", "--color=no", f"--rootdir={root}", f"--junitxml={junit}"),
        *(f"{SUITES_FOLDER}/{suite}" for suite in suites),
    ]
    started = time.time()
    status, tail = await _run(
        argv, root, _environment(context_file, record), evidence_dir / "suites.log", deadline_seconds, on_line
    )
    ended = time.time()
    tests = tuple(results_of(record, suites, _reason(status, deadline_seconds), tail, ended))
    if not junit.exists():  # pytest writes it at its very end
        junit.write_bytes(_junit(tests))
    return SuiteResults(started=started, ended=ended, tests=tests, exit_status=status)


def _prepare(evidence_dir: Path, context: SuiteContext) -> tuple[Path, Path, Path]:
    """Write the context and remove what an earlier run left where this one writes."""
    evidence_dir.mkdir(parents=True, exist_ok=True)
    record, junit = evidence_dir / "suites.jsonl", evidence_dir / "junit.xml"
    for stale in (record, junit):
        stale.unlink(missing_ok=True)
    context_file = evidence_dir / "suites-context.json"
    context_file.write_bytes(dump(context))
    return record, junit, context_file


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


async def _run(
    argv: Sequence[str],
    root: Path,
    environment: Mapping[str, str],
    log: Path,
    deadline_seconds: float,
    on_line: Callable[[str], None],
) -> tuple[int, str]:
    """Return the exit status and the last lines; nothing of the process group is left when this returns."""
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    process = await anyio.open_process(
        argv, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, cwd=root, env=environment, start_new_session=True
    )
    try:
        with log.open("w", encoding="utf-8") as file:

            def seen(line: str) -> None:
                file.write(line + "\n")
                file.flush()
                tail.append(line)
                on_line(line)

            async with anyio.create_task_group() as group:
                group.start_soon(_read_lines, process, seen)
                with anyio.move_on_after(deadline_seconds):
                    await process.wait()
                late = process.returncode is None
                if late:
                    seen(f"the deadline of {deadline_seconds:g} s passed; the suites are killed")
                    await _interrupt(process)
                _kill_group(process)
                # What a child left in the pipe is read; a process that fled the group may hold it for ever.
                group.cancel_scope.deadline = anyio.current_time() + _GRACE_SECONDS
    finally:
        _kill_group(process)
        with anyio.CancelScope(shield=True):
            await process.aclose()
    status = process.returncode if process.returncode is not None else -signal.SIGKILL
    return DEADLINE_STATUS if late else status, "\n".join(tail)


async def _read_lines(process: Process, seen: Callable[[str], None]) -> None:
    assert process.stdout
    rest = ""
    async for chunk in TextReceiveStream(process.stdout, errors="replace"):
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            seen(line.rstrip("\r"))
    if rest:
        seen(rest)


async def _interrupt(process: Process) -> None:
    """Let pytest write its reports, but not for long."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    with anyio.move_on_after(_GRACE_SECONDS):
        await process.wait()


def _kill_group(process: Process) -> None:
    # Also when pytest has ended: children that it left behind are still in its group.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _reason(status: int, deadline_seconds: float) -> str:
    if status == DEADLINE_STATUS:
        return f"the deadline of {deadline_seconds:g} s for all suites passed"
    if status < 0:
        return f"the suites' process died: {signal.strsignal(-status) or f'signal {-status}'}"
    return f"the suites' process ended with exit status {status}"


def results_of(record: Path, suites: Sequence[str], reason: str, tail: str, ended: float) -> Iterator[TestResult]:
    """Every test in the order it was collected or met; what has no end gets `reason` as its message.

    `tail` is what the suites said last, `ended` when they did (seconds since the epoch).
    """
    collected: list[str] = []
    broken: dict[str, str] = {}
    started: dict[str, float] = {}
    finished: dict[str, dict[str, Any]] = {}
    requests: dict[str, list[str]] = {}
    traces: dict[str, list[str]] = {}
    for event in _events(record):
        match event["event"]:
            case "collected":
                collected += event["tests"]
            case "broken":
                broken[event["test"]] = event["message"]
            case "started":
                started[event["test"]] = event["at"]
            case "request":
                requests.setdefault(event["test"], []).append(event["request_id"])
            case "trace":
                traces.setdefault(event["test"], []).append(event["trace_id"])
            case "finished":
                finished[event["test"]] = event
    for test, message in broken.items():
        yield TestResult(id=test, suite=_suite(test), outcome="error", started=ended, seconds=0, message=message)
    for test in dict.fromkeys([*collected, *started]):
        end = finished.get(test)
        at = started.get(test, ended)
        said = f"it was running when {reason}\n{tail}" if test in started else f"it did not run: {reason}"
        yield TestResult(
            id=test,
            suite=_suite(test),
            outcome=end["outcome"] if end else "error",
            started=at,
            seconds=end["seconds"] if end else round(ended - at, 3),
            message=end["message"] if end else said,
            request_ids=tuple(requests.get(test, ())),
            trace_ids=tuple(dict.fromkeys(traces.get(test, ()))),
        )
    met = {_suite(test) for test in (*collected, *broken)}
    for suite in suites:
        if suite not in met:
            test = f"{SUITES_FOLDER}/{suite}"
            message = f"the suite has no test: {reason}\n{tail}"
            yield TestResult(id=test, suite=suite, outcome="error", started=ended, seconds=0, message=message)


def _events(record: Path) -> Iterator[dict[str, Any]]:
    if not record.exists():
        return
    for line in record.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):  # the last line may be cut where the process died
            event = json.loads(line)
            if isinstance(event, dict) and "event" in event:
                yield event


def _suite(test: str) -> str:
    """The suite of a test id: the folder below tests/e2e."""
    path = test.partition("::")[0].removeprefix(SUITES_FOLDER + "/")
    return path.partition("/")[0]


def _junit(tests: Sequence[TestResult]) -> bytes:
    """A JUnit report of results that pytest did not live to write."""
    suite = ET.Element("testsuite", name="pytest", tests=str(len(tests)))
    for name in ("failed", "error", "skipped"):
        attribute = {"failed": "failures", "error": "errors"}.get(name, name)
        suite.set(attribute, str(sum(test.outcome == name for test in tests)))
    for test in tests:
        path, _, name = test.id.partition("::")
        classname = path.removesuffix(".py").replace("/", ".")
        case = ET.SubElement(suite, "testcase", classname=classname, name=name or path, time=f"{test.seconds:.3f}")
        if test.outcome != "passed":
            tag = {"failed": "failure"}.get(test.outcome, test.outcome)
            # XML has no way to write most control characters.
            message = "".join(c for c in test.message if c.isprintable() or c in "\n\t")
            ET.SubElement(case, tag, message=message.partition("\n")[0]).text = message
    root = ET.Element("testsuites")
    root.append(suite)
    report: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return report
