"""Run the E2E suites in pytests of their own, under a deadline, and return what each test did.

First all tests are collected; then each phase of the plan (suite_plan.py) has a process for each of its lanes; then the
few that failed are run again, each in isolation. All processes write to one record, which survives them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio

from sluice.domain import Attempt, SuiteResults, TestResult, dump
from sluice.steps.suite_junit import join_reports
from sluice.steps.suite_lanes import CONTEXT_VARIABLE, JUNIT, LOGS, Running, events_of
from sluice.steps.suite_plan import ALL, ONCE, SUITES_FOLDER, Selection, Test, phases, read_times, selected, suite_of
from sluice.steps.suite_process import reason_of, unended

__all__ = ["CONTEXT_VARIABLE", "ServiceAddress", "SuiteContext", "results_of", "run_suites"]

CONTEXT, RECORD = "suites-context.json", "suites.jsonl"
_AGAIN_LOG, _AGAIN_RECORD = "suites-again.log", "again.jsonl"
# Of more failures than these the cause is no flake, and running them again would only take time.
_MOST_AGAIN, _TIMES_AGAIN = 5, 2
_LEAST_SECONDS_AGAIN = 20.0


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
    selection: Selection = ALL,
) -> SuiteResults:
    """Run `tests/e2e/<suite>` of the tree at `root`, or a selection of its tests, and return every test's result.

    Writes suites.log (and one for a second lane, and for tests run again), suites.jsonl, suites-context.json and
    junit.xml into the evidence. A failing test, a crash of the interpreter and the deadline are results, not errors: a
    test that did not get to its end is an `error` that says so, and so is a suite without any test. At the deadline
    the process groups are killed.
    """
    context_file, record = _prepare(evidence_dir, context)
    running = Running(root, context_file, record, deadline_seconds, on_line)
    started = time.time()
    collected = await running.collect(suites)
    tests = selected(collected, selection, read_times(root))
    running.total = len(tests)
    if running.status == 0:
        for lanes in phases(tests):
            async with anyio.create_task_group() as group:
                for log, lane in zip(LOGS, lanes, strict=False):
                    group.start_soon(running.lane, lane, log)
    left_out = {test.id for test in collected} - {test.id for test in tests}
    # A selection may leave out all of a suite; without one, a suite that has no test is told as broken.
    asked = sorted({suite_of(test.id) for test in tests}) if left_out else suites
    reason = reason_of(running.status, deadline_seconds)
    found = results_of(record, asked, reason, running.tail, time.time())
    results = tuple(one for one in found if one.id not in left_out)
    join_reports(evidence_dir, JUNIT, results)
    running.total = 0
    attempts = await _again(running, record, results, tests)
    results = tuple(replace(one, attempts=attempts.get(one.id, ())) for one in results)
    return SuiteResults(started, time.time(), results, running.status, str(selection))


def _prepare(evidence_dir: Path, context: SuiteContext) -> tuple[Path, Path]:
    """Write the context and remove what an earlier run left where this one writes."""
    evidence_dir.mkdir(parents=True, exist_ok=True)
    for stale in (RECORD, JUNIT, *LOGS, _AGAIN_LOG):
        (evidence_dir / stale).unlink(missing_ok=True)
    context_file = evidence_dir / CONTEXT
    context_file.write_bytes(dump(context))
    return context_file, evidence_dir / RECORD


async def _again(
    running: Running, record: Path, results: Sequence[TestResult], tests: Sequence[Test]
) -> dict[str, tuple[Attempt, ...]]:
    """Run each test that failed again, by itself, up to twice: until it passes once, or time is up."""
    ended = {one["test"] for one in events_of(record) if one["event"] == "finished" and "unfinished" not in one}
    once = {test.id for test in tests if ONCE in test.marks}
    failed = [one.id for one in results if one.failed and one.id in ended]
    if len(failed) > _MOST_AGAIN:
        return {}
    found: dict[str, tuple[Attempt, ...]] = {}
    for test in failed:
        while test not in once and len(found.get(test, ())) < _TIMES_AGAIN and running.left() > _LEAST_SECONDS_AGAIN:
            found[test] = (*found.get(test, ()), await _attempt(running, record.with_name(_AGAIN_RECORD), test))
            if found[test][-1].outcome == "passed":
                break
    return found


async def _attempt(running: Running, record: Path, test: str) -> Attempt:
    record.unlink(missing_ok=True)
    status, tail = await running.pytest([test, "-v"], _AGAIN_LOG, record)
    found = tuple(results_of(record, (), reason_of(status, running.seconds), tail, time.time()))
    record.unlink(missing_ok=True)
    own = next((one for one in found if one.id == test), None)
    if own is None:
        return Attempt("error", time.time(), 0, f"it did not run: {reason_of(status, running.seconds)}\n{tail}")
    return Attempt(own.outcome, own.started, own.seconds, own.message)


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
    for event in events_of(record):
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
        yield TestResult(id=test, suite=suite_of(test), outcome="error", started=ended, seconds=0, message=message)
    for test in dict.fromkeys([*collected, *started]):
        end = finished.get(test)
        at = started.get(test, ended)
        yield TestResult(
            id=test,
            suite=suite_of(test),
            outcome=end["outcome"] if end else "error",
            started=at,
            seconds=end["seconds"] if end else round(ended - at, 3),
            message=end["message"] if end else unended(test in started, reason, tail),
            request_ids=tuple(requests.get(test, ())),
            trace_ids=tuple(dict.fromkeys(traces.get(test, ()))),
        )
    met = {suite_of(test) for test in (*collected, *broken)}
    for suite in suites:
        if suite not in met:
            test = f"{SUITES_FOLDER}/{suite}"
            message = f"the suite has no test: {reason}\n{tail}"
            yield TestResult(id=test, suite=suite, outcome="error", started=ended, seconds=0, message=message)
