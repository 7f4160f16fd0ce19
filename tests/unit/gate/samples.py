"""A policy and evidence that pass it, small enough to read; a test changes the one thing it is about."""

from dataclasses import replace

from sluice.domain import EVIDENCE_SCHEMA, Evidence, Image, Measurement, StepTiming, TestResult
from sluice.policy import Criterion, Objective, Policy

STARTED = 1_760_000_000.0
DIGEST = f"sha256:{'a' * 64}"
OTHER_DIGEST = f"sha256:{'b' * 64}"

SUITES = Objective(
    name="suites",
    kind="tests",
    query="passed_ratio",
    unit="ratio",
    pass_criterion=Criterion(">=", 1),
    key=True,
    min_samples=3,
)
ERRORS = Objective(
    name="error-ratio",
    kind="promql",
    query="errors[{window}]",
    unit="ratio",
    weight=3,
    key=True,
    min_samples=50,
    pass_criterion=Criterion("<=", 0.01),
    warn_criterion=Criterion("<=", 0.05),
)
LATENCY = Objective(
    name="p95-latency",
    kind="promql",
    query='p95{namespace="{namespace}"}[{window}]',
    unit="seconds",
    weight=2,
    pass_criterion=Criterion("<=", 0.5),
    warn_criterion=Criterion("<=", 1.0),
    min_samples=50,
)
TARGETS = Objective(
    name="targets-up",
    kind="promql",
    query="up",
    unit="up",
    pass_criterion=Criterion(">=", 1),
    min_samples=5,
)
POLICY = Policy(
    schema="sluice.policy/v1", required_suites=("api", "logs"), objectives=(SUITES, ERRORS, LATENCY, TARGETS)
)


def measured(objective: Objective, *values: float, samples: int = 120) -> Measurement:
    """What the collector notes of an objective."""
    query = objective.query.replace("{window}", "95s").replace("{namespace}", "default")
    return Measurement(
        objective=objective.name,
        kind=objective.kind,
        query=query,
        unit=objective.unit,
        at=STARTED + 200,
        window_seconds=95.0,
        values=values,
        samples=samples,
    )


def result(name: str, suite: str, outcome: str = "passed", message: str = "") -> TestResult:
    """One test."""
    return TestResult(
        id=f"tests/e2e/{suite}/test_{suite}.py::{name}",
        suite=suite,
        outcome=outcome,  # type: ignore[arg-type]
        started=STARTED + 100,
        seconds=0.25,
        message=message,
    )


TESTS = (result("test_create", "api"), result("test_read", "api"), result("test_found", "logs"))
EVIDENCE = Evidence(
    schema=EVIDENCE_SCHEMA,
    run_id="20251009T085320Z-0a1b",
    started=STARTED,
    ended=STARTED + 210,
    revision="1f2e3d4",
    dirty=False,
    source_digest=DIGEST,
    runtime="docker",
    kubernetes="v1.34.2",
    images=(Image("backend", "localhost:5001/backend", DIGEST),),
    components=(),
    steps=(StepTiming("run suites", STARTED + 100, 95.0, "done"),),
    suites=("api", "logs"),
    tests=TESTS,
    measurements=(measured(ERRORS, 0.001), measured(LATENCY, 0.12, 0.2), measured(TARGETS, 1.0, 1.0, 1.0)),
)


def instead(*measurements: Measurement) -> Evidence:
    """The evidence with these measurements in the place of those of the same objectives."""
    names = {measurement.objective for measurement in measurements}
    others = tuple(one for one in EVIDENCE.measurements if one.objective not in names)
    return replace(EVIDENCE, measurements=(*others, *measurements))
