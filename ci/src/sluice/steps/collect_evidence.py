"""Measure every objective of the policy over the suites' window and put down all that the gate may read."""

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from sluice.domain import (
    EVIDENCE_SCHEMA,
    TABLES_FOLDER,
    Baseline,
    Cluster,
    Component,
    Evidence,
    Images,
    Measurement,
    Monitoring,
    Override,
    Quarantined,
    Series,
    Source,
    StepTiming,
    SuiteResults,
    SuiteTable,
    TestResult,
    load,
)
from sluice.errors import SluiceError, in_a_line
from sluice.gate import tests as tested
from sluice.masking import masker
from sluice.policy import Objective, Policy, expand
from sluice.ports import Logs, Metrics
from sluice.steps import image_facts
from sluice.steps.monitoring_facts import about_prometheus

_AT_ONCE = 4
_PLOT_POINTS = 120
_SHORTEST_STEP = 1.0
_LARGEST_TABLE_BYTES = 500_000


@dataclass(frozen=True)
class RunFacts:
    """What the pipeline knows of a run; what a broken run did not get to is None or empty.

    `started` is in seconds since the epoch. `secrets` are values that must not be written down.
    """

    run_id: str
    started: float
    runtime: str
    source: Source | None = None
    images: Images = field(default=Images(()))
    cluster: Cluster | None = None
    components: tuple[Component, ...] = ()
    steps: tuple[StepTiming, ...] = ()
    suites: tuple[str, ...] = ()
    results: SuiteResults | None = None
    failures: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    overrides: tuple[Override, ...] = ()
    quarantine: tuple[Quarantined, ...] = ()


async def collect_evidence(
    facts: RunFacts,
    *,
    policy: Policy,
    metrics: Metrics | None,
    logs: Logs | None,
    namespace: str,
    evidence_dir: Path,
    ended: float,
    deadline_seconds: float = 60,
    say: Callable[[str], None] = lambda _: None,
) -> Evidence:
    """Return the evidence of a run, whole or broken; raises nothing but cancellation.

    Every objective gets one measurement, at the end of the suites' window. What cannot be measured (no
    suites, no Prometheus or Loki, a refused query, the deadline) has an `error`, which the gate fails. `say`
    is told of what is no measurement: a plot that could not be drawn.
    """
    measurements = await _measure_all(facts, policy, metrics, logs, namespace, evidence_dir, deadline_seconds, say)
    monitoring: Monitoring | None = None
    if policy.prometheus and facts.results and metrics:
        window = facts.results.started, facts.results.ended
        monitoring = await about_prometheus(metrics, *window, deadline_seconds=deadline_seconds / 4)
    mask = masker(facts.secrets)
    tests = facts.results.tests if facts.results else ()
    return Evidence(
        schema=EVIDENCE_SCHEMA,
        run_id=facts.run_id,
        started=facts.started,
        ended=ended,
        revision=facts.source.revision if facts.source else "",
        dirty=facts.source.dirty if facts.source else False,
        source_digest=facts.source.digest if facts.source else "",
        runtime=facts.runtime,
        kubernetes=facts.cluster.kubernetes if facts.cluster else "",
        images=facts.images.images,
        components=facts.components,
        steps=facts.steps,
        suites=facts.suites,
        tests=tuple(_masked_test(test, mask) for test in tests),
        measurements=measurements,
        failures=tuple(mask(failure) for failure in facts.failures),
        files=_files(evidence_dir),
        tables=tuple(_masked(table, mask) for table in _tables(evidence_dir, say)),
        partial=facts.results.partial if facts.results else "",
        baselines=facts.baselines,
        overrides=facts.overrides,
        quarantine=facts.quarantine,
        monitoring=monitoring,
    )


async def settled(metrics: Metrics, *, since: float, namespace: str, deadline_seconds: float) -> float:
    """Return the time at which every target of the namespace was scraped after `since`, or the deadline passed.

    Without this the last requests of the suites would be in nobody's numbers. Times are in seconds since the epoch.
    """
    with anyio.move_on_after(deadline_seconds):
        while True:
            scrapes, error = await _tried(metrics.instant(f'timestamp(up{{namespace="{namespace}"}})'))
            times = [one.points[-1][1] for one in scrapes if one.points]
            if not error and times and min(times) > since:
                break
            await anyio.sleep(0.5)
    return time.time()


async def _measure_all(
    facts: RunFacts,
    policy: Policy,
    metrics: Metrics | None,
    logs: Logs | None,
    namespace: str,
    evidence_dir: Path,
    deadline_seconds: float,
    say: Callable[[str], None],
) -> tuple[Measurement, ...]:
    late, results = f"not measured within {deadline_seconds:g} s", facts.results
    done = {objective.name: _blank(objective, results, namespace, late) for objective in policy.objectives}
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def measure(objective: Objective) -> None:
        blank = done[objective.name]
        async with limit:
            if results is None:
                done[objective.name] = replace(blank, error="the suites did not run")
            elif objective.kind == "tests":
                done[objective.name] = _passed_ratio(blank, facts, results)
            elif objective.kind == "image":
                root = Path(facts.source.root if facts.source else ".")
                images = facts.images.images
                done[objective.name] = image_facts.measure(blank, objective, images, evidence_dir, root)
            else:
                server: Metrics | Logs | None = logs if objective.kind == "logql" else metrics
                measurement = await _ask(blank, objective, server, namespace)
                # Kept before the plot is asked for: the deadline may come in between.
                done[objective.name] = measurement
                if server and not measurement.error:
                    done[objective.name] = await _plot(measurement, objective, server, namespace, say)

    with anyio.move_on_after(deadline_seconds):
        async with anyio.create_task_group() as group:
            for objective in policy.objectives:
                group.start_soon(measure, objective)
    return tuple(done[objective.name] for objective in policy.objectives)


def _blank(objective: Objective, results: SuiteResults | None, namespace: str, error: str) -> Measurement:
    window = objective.window_seconds(results.ended - results.started if results else 0.0)
    asked = objective.kind not in ("tests", "image")
    return Measurement(
        objective=objective.name,
        kind=objective.kind,
        query=expand(objective.promql, window_seconds=window, namespace=namespace) if asked else objective.query,
        unit=objective.unit,
        at=results.ended if results else 0.0,
        window_seconds=window,
        error=error,
    )


def _passed_ratio(blank: Measurement, facts: RunFacts, results: SuiteResults) -> Measurement:
    """Of the tests that count, those that passed, as the gate counts them."""
    counted = tested.count(results.tests, facts.quarantine, at=results.ended)
    if not counted.ran:
        return replace(blank, error=f"0 of {len(results.tests)} tests ran")
    return replace(blank, values=(counted.ratio,), samples=counted.ran, error="")


async def _ask(blank: Measurement, objective: Objective, server: Metrics | Logs | None, namespace: str) -> Measurement:
    if server is None:
        name = "Loki" if objective.kind == "logql" else "Prometheus"
        return replace(blank, error=f"{name} could not be reached")
    series, error = await _tried(server.instant(blank.query, at=blank.at))
    if error:
        return replace(blank, error=error)
    values = tuple(one.points[-1][1] for one in series if one.points)
    blank = replace(blank, names=tuple(_named(one) for one in series if one.points))
    if objective.counted_by is None:
        return replace(blank, values=values, samples=len(values), error="")
    query = expand(objective.counted_by, window_seconds=blank.window_seconds, namespace=namespace)
    counted, error = await _tried(server.instant(query, at=blank.at))
    count = math.fsum(one.points[-1][1] for one in counted if one.points)
    if not error and not math.isfinite(count):
        error = f"the samples query {query} gave {count}"
    return replace(blank, values=values, samples=0 if error else int(count), error=error)


def _named(series: Series) -> str:
    """A series by its labels, in their order: `service=backend slo=latency`."""
    return " ".join(f"{label}={value}" for label, value in sorted(series.labels.items()) if label != "__name__")


async def _plot(
    measurement: Measurement,
    objective: Objective,
    server: Metrics | Logs,
    namespace: str,
    say: Callable[[str], None],
) -> Measurement:
    """The same objective over the window. Its failure is said and no more: a picture is no measurement."""
    window = measurement.window_seconds
    query = expand(objective.plot_query or objective.promql, window_seconds=window, namespace=namespace)
    step = max(_SHORTEST_STEP, math.ceil(window / _PLOT_POINTS))
    series, error = await _tried(server.range(query, start=measurement.at - window, end=measurement.at, step=step))
    if error:
        say(f"no plot of {objective.name}: {error}")
    return replace(measurement, series=series)


async def _tried(asked: Awaitable[tuple[Series, ...]]) -> tuple[tuple[Series, ...], str]:
    """The answer, or no answer and why."""
    try:
        return await asked, ""
    except Exception as error:  # noqa: BLE001 - whatever goes wrong while asking fails an objective, not the run
        return (), in_a_line(error)


def _tables(evidence_dir: Path, say: Callable[[str], None]) -> Iterator[SuiteTable]:
    """What suites left in tables/*.json, by name; what cannot be read, or is too large, is said and left out."""
    for path in sorted((evidence_dir / TABLES_FOLDER).glob("*.json")):
        if path.stat().st_size > _LARGEST_TABLE_BYTES:
            say(f"{path.name} has {path.stat().st_size} bytes, more than a table may have ({_LARGEST_TABLE_BYTES})")
            continue
        try:
            yield load(SuiteTable, path)
        except SluiceError as error:
            say(f"no table of {path.name}: {error.failed}")


def _masked_test(test: TestResult, mask: Callable[[str], str]) -> TestResult:
    attempts = tuple(replace(attempt, message=mask(attempt.message)) for attempt in test.attempts)
    return replace(test, message=mask(test.message), attempts=attempts)


def _masked(table: SuiteTable, mask: Callable[[str], str]) -> SuiteTable:
    return replace(table, rows=tuple(tuple(mask(cell) for cell in row) for row in table.rows), note=mask(table.note))


def _files(evidence_dir: Path) -> tuple[str, ...]:
    found: Iterable[Path] = evidence_dir.rglob("*") if evidence_dir.is_dir() else ()
    return tuple(sorted(path.relative_to(evidence_dir).as_posix() for path in found if path.is_file()))
