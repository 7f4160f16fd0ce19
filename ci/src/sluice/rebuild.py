"""What a run that was killed had got to, read from the files that it wrote as it went."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from sluice.domain import Cluster, Component, Images, Source, StepTiming, SuiteResults, load
from sluice.errors import EvidenceError
from sluice.files import json_lines, tail, whole_lines
from sluice.run import STEPS
from sluice.steps.run_suites import results_of

T = TypeVar("T")

RUN_FILE = "run.json"
_KILLED_STATUS = -9
_TAIL_LINES, _TAIL_BYTES = 15, 16 * 1024


@dataclass(frozen=True)
class RunRecord:
    """What a run was asked to do; `started` in seconds since the epoch."""

    run_id: str
    started: float
    runtime: str
    suites: tuple[str, ...]


@dataclass(frozen=True)
class Remains:
    """What is left of a killed run; `ended` is its last sign of life, in seconds since the epoch."""

    record: RunRecord
    ended: float
    timings: tuple[StepTiming, ...]
    components: tuple[Component, ...]
    source: Source | None
    images: Images
    cluster: Cluster | None
    results: SuiteResults | None
    failure: str


def rebuild(folder: Path) -> Remains:
    """Read what a run left. Raises EvidenceError where the folder is of no run, or of one that cannot be told of."""
    record = load(RunRecord, folder / RUN_FILE)
    ended = max(_touched(folder), record.started)
    timings, under_way = _steps(folder, ended)
    what = " and ".join(repr(name) for name in under_way) or "no step"
    failure = f"the run was killed while {what} was under way"
    return Remains(
        record=record,
        ended=ended,
        timings=timings,
        components=tuple(_read_lines(Component, folder / "components.jsonl")),
        source=_step(Source, folder, "resolve-source"),
        images=_step(Images, folder, "build-images") or Images(()),
        cluster=_step(Cluster, folder, "create-cluster"),
        results=_step(SuiteResults, folder, "run-suites")
        or results_so_far(folder, record.suites, ended, "the run was killed"),
        failure=failure,
    )


def _touched(folder: Path) -> float:
    """When the run last wrote something; gathering afterwards writes elsewhere, or leaves the times as they are."""
    paths = [folder / STEPS, *folder.glob("suites*.jsonl"), *folder.glob("suites*.log"), *(folder / "logs").glob("*")]
    return max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)


def _steps(folder: Path, ended: float) -> tuple[tuple[StepTiming, ...], tuple[str, ...]]:
    """The steps in the order in which they ended, and those that did not."""
    begun: dict[str, float] = {}
    timings: list[StepTiming] = []
    for event in json_lines(folder / STEPS):
        with suppress(KeyError, TypeError, ValidationError):
            if event["event"] == "begun":
                begun[str(event["name"])] = float(event["started"])
            else:
                timing = TypeAdapter(StepTiming).validate_python({k: v for k, v in event.items() if k != "event"})
                timings.append(timing)
                begun.pop(timing.name, None)
    timings += [StepTiming(name, at, round(ended - at, 2), "cancelled", "killed") for name, at in begun.items()]
    return tuple(timings), tuple(begun)


def results_so_far(folder: Path, suites: Sequence[str], ended: float, reason: str) -> SuiteResults | None:
    """What the suites' own record tells, each test that did not end with a word on why; None where no test is known.

    `ended` is in seconds since the epoch.
    """
    records = sorted(folder.glob("suites*.jsonl"))
    tests = [
        test
        for path in records
        # With one record for all suites, one without any test is told too.
        for test in results_of(path, suites if len(records) == 1 else (), reason, _tail(path), ended)
    ]
    if not tests:
        return None
    started = min(test.started for test in tests)
    return SuiteResults(started=started, ended=ended, tests=tuple(tests), exit_status=_KILLED_STATUS)


def reports(folder: Path) -> dict[str, str]:
    """All that pytest said of each test that did not pass, by the test's id."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("suites*.jsonl")):
        for event in json_lines(path):
            if event.get("event") == "finished" and event.get("report"):
                found.setdefault(str(event.get("test")), str(event["report"]))
    return found


def _tail(record: Path) -> str:
    """The last lines that the suites of a record printed."""
    said = tail(record.with_suffix(".log"), _TAIL_BYTES)
    return "\n".join(said.splitlines()[-_TAIL_LINES:])


def _step(kind: type[T], folder: Path, name: str) -> T | None:
    """The result of a step; None where it has none that is whole."""
    try:
        return load(kind, folder / "steps" / f"{name}.json")
    except EvidenceError:
        return None


def _read_lines(kind: type[T], path: Path) -> Iterator[T]:
    adapter = TypeAdapter(kind)
    for line in whole_lines(path):
        with suppress(ValidationError):
            yield adapter.validate_json(line)
