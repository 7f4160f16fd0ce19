"""collect_evidence: the right time, the right window; what is missing is an error, never a guess."""

from dataclasses import replace
from math import inf, isnan, nan
from pathlib import Path

import anyio
import pytest
from tests.unit.fakes import FakeLogs, FakeMetrics

from sluice.domain import Cluster, Evidence, Measurement, Source, SuiteResults, TestResult
from sluice.errors import EvidenceError
from sluice.policy import Criterion, Objective, Policy
from sluice.steps.collect_evidence import RunFacts, collect_evidence

pytestmark = pytest.mark.anyio

TESTS = tuple(
    TestResult(id=f"tests/e2e/api/test_a.py::test_{n}", suite="api", outcome="passed", started=1000, seconds=1)
    for n in range(4)
)
RESULTS = SuiteResults(started=1000.0, ended=1030.0, tests=TESTS, exit_status=0)
FACTS = RunFacts(
    run_id="run-1", started=900.0, runtime="docker", suites=("api",), results=RESULTS, failures=("a failure",)
)


def objective(**changes: object) -> Objective:
    values: dict[str, object] = {
        "name": "errors",
        "kind": "promql",
        "query": 'sum(rate(x{namespace="{namespace}"}[{window}]))',
        "unit": "ratio",
        "pass_criterion": Criterion("<=", 0.01),
    }
    return Objective(**{**values, **changes})  # type: ignore[arg-type]


ASKED = 'sum(rate(x{namespace="default"}[30s]))'


async def collect(
    tmp_path: Path,
    *objectives: Objective,
    facts: RunFacts = FACTS,
    metrics: FakeMetrics | None = None,
    logs: FakeLogs | None = None,
    deadline: float = 10,
    said: list[str] | None = None,
) -> Evidence:
    return await collect_evidence(
        facts,
        policy=Policy(schema="sluice.policy/v1", required_suites=("api",), objectives=objectives),
        metrics=metrics,
        logs=logs,
        namespace="default",
        evidence_dir=tmp_path,
        ended=1040.0,
        deadline_seconds=deadline,
        say=(said if said is not None else []).append,
    )


async def measured(tmp_path: Path, asked: Objective, metrics: FakeMetrics | None, **more: object) -> Measurement:
    return (await collect(tmp_path, asked, metrics=metrics, **more)).measurements[0]  # type: ignore[arg-type]


async def test_an_objective_is_asked_at_the_end_of_the_suites_over_their_window(tmp_path: Path) -> None:
    metrics = FakeMetrics({ASKED: [0.001, 0.002], "count(x)": 57.0})
    one = await measured(tmp_path, objective(samples_query="count(x)"), metrics)
    assert (one.values, one.samples, one.error) == ((0.001, 0.002), 57, "")
    assert (one.query, one.at, one.window_seconds) == (ASKED, 1030.0, 30.0)
    assert metrics.asked == [(ASKED, 1030.0), ("count(x)", 1030.0)]
    assert metrics.ranges == [(ASKED, 1000.0, 1030.0, 1.0)]
    assert [len(series.points) for series in one.series] == [31, 31]


async def test_a_window_of_its_own_ends_where_the_suites_ended(tmp_path: Path) -> None:
    query = ASKED.replace("30s", "600s")
    metrics = FakeMetrics({query: 1.0})
    one = await measured(tmp_path, objective(window=600.0), metrics)
    assert (one.query, one.window_seconds) == (query, 600.0)
    assert metrics.ranges == [(query, 430.0, 1030.0, 5.0)]


async def test_without_a_samples_query_the_series_are_counted(tmp_path: Path) -> None:
    assert (await measured(tmp_path, objective(), FakeMetrics({ASKED: [1.0, 2.0, 3.0]}))).samples == 3
    none = await measured(tmp_path, objective(), FakeMetrics({ASKED: []}))
    assert (none.values, none.samples, none.error) == ((), 0, "")


async def test_a_logql_objective_goes_to_loki(tmp_path: Path) -> None:
    logs = FakeLogs({"lines": 3.0, "plot": 1.0})
    asked = objective(kind="logql", query="lines", plot_query="plot")
    evidence = await collect(tmp_path, asked, metrics=FakeMetrics(), logs=logs)
    assert evidence.measurements[0].values == (3.0,)
    assert logs.ranges[0][0] == "plot"


async def test_the_ratio_of_passed_tests_is_of_those_that_ran(tmp_path: Path) -> None:
    tests = (replace(TESTS[0], outcome="skipped"), replace(TESTS[1], outcome="error"), *TESTS[2:3])
    facts = replace(FACTS, results=replace(RESULTS, tests=tests))
    asked = objective(kind="tests", query="passed_ratio")
    one = await measured(tmp_path, asked, None, facts=facts)
    assert (one.values, one.samples, one.query, one.error) == ((0.5,), 2, "passed_ratio", "")
    for none in ((), tests[:1]):
        facts = replace(FACTS, results=replace(RESULTS, tests=none))
        one = await measured(tmp_path, asked, None, facts=facts)
        assert (one.values, one.error) == ((), f"0 of {len(none)} tests ran")


async def test_nan_and_infinity_are_kept_for_the_gate_to_judge(tmp_path: Path) -> None:
    one = await measured(tmp_path, objective(), FakeMetrics({ASKED: [nan, inf]}))
    assert isnan(one.values[0])
    assert one.values[1] == inf


@pytest.mark.parametrize("samples", [nan, inf])
async def test_samples_that_are_no_number_are_an_error(tmp_path: Path, samples: float) -> None:
    metrics = FakeMetrics({ASKED: 0.0, "count(x)": samples})
    one = await measured(tmp_path, objective(samples_query="count(x)"), metrics)
    assert one.samples == 0
    assert "the samples query count(x) gave" in one.error


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({ASKED: EvidenceError("refused", seen="400: parse error")}, "refused: 400: parse error"),
        ({ASKED: ZeroDivisionError("a bug")}, "ZeroDivisionError: a bug"),
        ({ASKED: 0.0, "count(x)": EvidenceError("refused", seen="timeout")}, "refused: timeout"),
    ],
)
async def test_a_query_that_fails_is_an_error_of_that_objective_alone(
    tmp_path: Path, answers: dict[str, Exception], error: str
) -> None:
    other = objective(name="other", query="other")
    evidence = await collect(
        tmp_path, objective(samples_query="count(x)"), other, metrics=FakeMetrics({**answers, "other": 5.0})
    )
    first, second = evidence.measurements
    assert (first.error, first.samples) == (error, 0)
    assert (second.values, second.error) == ((5.0,), "")


async def test_what_was_never_reached_is_an_error_of_every_objective(tmp_path: Path) -> None:
    objectives = (
        objective(),
        objective(name="lines", kind="logql", query="lines"),
        objective(name="tests", kind="tests", query="passed_ratio"),
    )
    evidence = await collect(tmp_path, *objectives)
    assert [one.error for one in evidence.measurements] == [
        "Prometheus could not be reached",
        "Loki could not be reached",
        "",
    ]
    broken = replace(FACTS, results=None)
    evidence = await collect(tmp_path, *objectives, facts=broken, metrics=FakeMetrics({ASKED: 0.0}))
    assert {one.error for one in evidence.measurements} == {"the suites did not run"}
    assert (evidence.tests, evidence.failures) == ((), ("a failure",))


class Hanging(FakeMetrics):
    """Answers neither `hang` nor any plot."""

    async def instant(self, query: str, *, at: float | None = None) -> tuple:  # type: ignore[type-arg]
        if query == "hang":
            await anyio.sleep_forever()
        return await super().instant(query, at=at)

    async def range(self, query: str, *, start: float, end: float, step: float) -> tuple:  # type: ignore[type-arg]
        await anyio.sleep_forever()
        return ()


async def test_at_the_deadline_what_was_measured_is_kept_and_the_rest_is_an_error(tmp_path: Path) -> None:
    hangs = objective(name="hangs", query="hang")
    with anyio.fail_after(5):
        evidence = await collect(tmp_path, objective(), hangs, metrics=Hanging({ASKED: 7.0}), deadline=0.2)
    first, second = evidence.measurements
    assert (first.values, first.error, first.series) == ((7.0,), "", ())
    assert (second.values, second.error) == ((), "not measured within 0.2 s")


async def test_a_plot_that_cannot_be_drawn_is_said_and_fails_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    metrics = FakeMetrics({ASKED: 1.0})
    one = await measured(tmp_path, objective(plot_query="no such"), metrics, said=said)
    assert (one.values, one.error, one.series) == ((1.0,), "", ())
    assert said == ["no plot of errors: the fake has no answer to no such"]


async def test_the_facts_of_the_run_are_in_it_and_secrets_are_not(tmp_path: Path) -> None:
    (tmp_path / "failure").mkdir()
    (tmp_path / "failure" / "pods.txt").write_text("x", encoding="utf-8")
    (tmp_path / "junit.xml").write_text("x", encoding="utf-8")
    leaky = replace(TESTS[0], outcome="failed", message="password=hunter2 and the-key")
    facts = replace(
        FACTS,
        source=Source("root", "abc123", dirty=True, digest="sha256:1", services=()),
        cluster=Cluster("sluice", "kubeconfig", "localhost:5001", "node", "v1.34.2", created=True),
        results=replace(RESULTS, tests=(leaky,)),
        failures=("token=hunter2 was refused",),
        secrets=("the-key",),
    )
    evidence = await collect(tmp_path, objective(kind="tests", query="passed_ratio"), facts=facts)
    assert (evidence.revision, evidence.dirty, evidence.kubernetes) == ("abc123", True, "v1.34.2")
    assert (evidence.started, evidence.ended, evidence.suites) == (900.0, 1040.0, ("api",))
    assert evidence.files == ("failure/pods.txt", "junit.xml")
    assert evidence.tests[0].message == "password=*** and ***"
    assert evidence.failures == ("token=*** was refused",)
