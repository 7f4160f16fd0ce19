"""What the gate compares and distrusts by is in the evidence: whose a value is, images, budgets, Prometheus itself."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from tests.unit.evidence.test_collect_evidence import ASKED, FACTS, RESULTS, TESTS, objective
from tests.unit.evidence.test_facts import SCRAPES, STARTS
from tests.unit.fakes import FakeMetrics

from sluice.domain import Attempt, Baseline, Evidence, Image, Images, Override, Quarantined, TestResult
from sluice.judging import Judge
from sluice.policy import Criterion, Objective, Policy, Trust
from sluice.run import Run
from sluice.settings import Settings
from sluice.standing import Standing, load_baselines
from sluice.steps.collect_evidence import RunFacts, collect_evidence
from sluice.steps.evaluate_gate import evaluate_gate

pytestmark = pytest.mark.anyio
TRUSTING = Policy("sluice.policy/v1", ("api",), (objective(),), prometheus=Trust())
HEALTHY = {ASKED: 0.0, "time()": 1030.0, SCRAPES: 1030.0, STARTS: 500.0}


async def collect(
    folder: Path, policy: Policy = TRUSTING, facts: RunFacts = FACTS, metrics: FakeMetrics | None = None
) -> Evidence:
    return await collect_evidence(
        facts,
        policy=policy,
        metrics=metrics,
        logs=None,
        namespace="default",
        evidence_dir=folder,
        ended=1040.0,
        deadline_seconds=5,
    )


def asking(*objectives: Objective) -> Policy:
    return replace(TRUSTING, objectives=objectives, prometheus=None)


async def test_every_value_has_the_name_of_its_series(tmp_path: Path) -> None:
    evidence = await collect(tmp_path, asking(objective()), metrics=FakeMetrics({ASKED: [1.0, 2.0]}))
    assert evidence.measurements[0].names == ("number=0", "number=1")


async def test_prometheus_is_asked_about_itself_over_the_window_of_the_suites(tmp_path: Path) -> None:
    metrics = FakeMetrics(HEALTHY)
    found = (await collect(tmp_path, metrics=metrics)).monitoring
    assert found
    assert (found.window_started, found.window_ended, found.starts, found.error) == (1000.0, 1030.0, (500.0,), "")
    assert [asked[1:] for asked in metrics.ranges if asked[0] == SCRAPES] == [(1000.0, 1030.0, 1.0)]


async def test_a_prometheus_that_hangs_is_an_error_at_a_part_of_the_deadline(tmp_path: Path) -> None:
    class Hanging(FakeMetrics):
        async def instant(self, query: str, *, at: float | None = None) -> tuple:  # type: ignore[type-arg]
            if query == "time()":
                await anyio.sleep_forever()
            return await super().instant(query, at=at)

    evidence = await collect_evidence(
        FACTS,
        policy=TRUSTING,
        metrics=Hanging(HEALTHY),
        logs=None,
        namespace="default",
        evidence_dir=tmp_path,
        ended=1040.0,
        deadline_seconds=0.4,
    )
    assert evidence.monitoring
    assert evidence.monitoring.error == "no answer within 0.1 s"
    assert evidence.measurements[0].values == (0.0,)


@pytest.mark.parametrize(
    ("facts", "policy"),
    [(replace(FACTS, results=None), TRUSTING), (FACTS, asking(objective()))],
    ids=["no suites ran", "a policy that does not ask"],
)
async def test_else_nothing_is_known_of_it(tmp_path: Path, facts: RunFacts, policy: Policy) -> None:
    assert (await collect(tmp_path, policy, facts, FakeMetrics(HEALTHY))).monitoring is None


async def test_a_budget_is_asked_for_by_its_recorded_series(tmp_path: Path) -> None:
    left = 'slo:period_error_budget_remaining:ratio{namespace="default",slo=~"latency"}'
    events = 'sum(slo:sli_total:increase1h{namespace="default",slo=~"latency"})'
    asked = objective(kind="slo", query="budget_left", slos=("latency",))
    metrics = FakeMetrics({left: 0.5, events: 77.0})
    (one,) = (await collect(tmp_path, asking(asked), metrics=metrics)).measurements
    assert (one.values, one.samples, one.query, one.error) == ((0.5,), 77, left, "")
    assert metrics.ranges == [(left, 1000.0, 1030.0, 1.0)]
    (none,) = (await collect(tmp_path, asking(asked))).measurements
    assert none.error == "Prometheus could not be reached"


KILL = replace(TESTS[0], id="tests/e2e/resilience/test_kills.py::test_a", started=1018.5)
LATER = replace(KILL, id="tests/e2e/resilience/test_kills.py::test_b", started=1025.0)


@pytest.mark.parametrize(
    ("tests", "at", "seconds"),
    [
        pytest.param((*TESTS, LATER, KILL), 1018.5, 18.5, id="up to the first test that disturbs"),
        pytest.param(TESTS, 1030.0, 30.0, id="all of the run where none does"),
    ],
)
async def test_what_tests_break_on_purpose_is_not_measured(
    tmp_path: Path, tests: tuple[TestResult, ...], at: float, seconds: float
) -> None:
    undisturbed = replace(asking(objective(window="undisturbed"), objective(name="all")), disturbing=(KILL.id[:21],))
    query = ASKED.replace("30s", f"{round(seconds)}s")
    metrics = FakeMetrics({query: 0.5, ASKED: 0.75})
    facts = replace(FACTS, results=replace(RESULTS, tests=tests))
    one, other = (await collect(tmp_path, undisturbed, facts, metrics)).measurements
    assert (one.query, one.at, one.window_seconds) == (query, at, seconds)
    assert (other.at, other.window_seconds, other.values) == (1030.0, 30.0, (0.75,))


async def test_images_are_measured_without_a_cluster(tmp_path: Path) -> None:
    facts = replace(FACTS, images=Images((Image("backend", "r", "sha256:1", 9),)))
    (one,) = (await collect(tmp_path, asking(objective(kind="image", query="size")), facts)).measurements
    assert (one.values, one.names, one.query, one.window_seconds) == ((9.0,), ("backend",), "size", 30.0)


async def test_what_stood_when_the_run_began_is_in_the_evidence_and_what_ran_again_is_masked(tmp_path: Path) -> None:
    baseline = Baseline("run-0", 1.0, "rev", (), ())
    override, held = Override("errors", "Ada", "w", 9e9), Quarantined("t", "Ada", "r", 9e9)
    again = replace(TESTS[0], attempts=(Attempt("failed", 1.0, 1.0, "password=hunter2"),))
    facts = replace(
        FACTS,
        results=replace(RESULTS, tests=(again,)),
        baselines=(baseline,),
        overrides=(override,),
        quarantine=(held,),
    )
    evidence = await collect(tmp_path, asking(), facts)
    assert (evidence.baselines, evidence.overrides, evidence.quarantine) == ((baseline,), (override,), (held,))
    assert evidence.tests[0].attempts[0].message == "password=***"


async def test_the_ratio_of_passed_tests_is_that_of_the_gate(tmp_path: Path) -> None:
    bad = replace(TESTS[0], outcome="failed")
    flaky = replace(bad, id="flaky", attempts=(Attempt("passed", 1.0, 1.0),))
    tests = (*TESTS[1:3], flaky, replace(bad, id="held"), replace(bad, id="bad"))
    held = Quarantined("held", "Ada", "r", 9e9)
    facts = replace(FACTS, results=replace(RESULTS, tests=tests), quarantine=(held,))
    asked = objective(kind="tests", query="passed_ratio")
    evidence = await collect(tmp_path, asking(asked), facts)
    assert (evidence.measurements[0].values, evidence.measurements[0].samples) == ((0.75,), 4)
    assert evaluate_gate(asking(asked), evidence).objectives[0].value == 0.75


class _Silent:
    def __getattr__(self, name: str) -> object:
        return lambda *_, **__: None


async def test_the_policy_is_put_beside_the_evidence_and_a_passed_run_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path, _Silent())  # type: ignore[arg-type]
    asked = objective(kind="tests", query="passed_ratio", pass_criterion=Criterion(">=", 1))
    judge = Judge(
        Settings(),
        run,
        asking(asked),
        components=tuple,
        kubeconfig=tmp_path / "none",
        dashboards=tmp_path,
        suites=("api",),
        secrets=tuple,
    )
    judge.standing = Standing(policy_text=b"# as it was\n")
    images = Images((Image("backend", "r", f"sha256:{'a' * 64}", 9),))
    results = replace(RESULTS, started=run.started + 1, ended=run.started + 31)
    evidence = await judge.collect_evidence(None, images, None, results, ())
    judge.write_report(evidence, evaluate_gate(asking(asked), evidence))
    assert (run.folder / "policy.toml").read_bytes() == b"# as it was\n"
    assert [one.run_id for one in load_baselines(tmp_path, 5)] == [run.id]
