"""Secrets planted wherever a run takes text from are nowhere in its folder."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.unit.core.support import FakeProgress
from tests.unit.evidence.test_gather_tests import line
from tests.unit.fakes import FakeInspection, KeptMetrics, ReadableLogs, crashing_pod
from tests.unit.gate.samples import POLICY

from sluice import judging
from sluice.domain import Images, Series, StepTiming, SuiteResults, TestResult
from sluice.judging import Judge
from sluice.ports import ClusterEvent, Sidecar
from sluice.run import Run
from sluice.settings import Settings
from sluice.steps.evaluate_gate import evaluate_gate

pytestmark = pytest.mark.anyio

DATABASE = "pg-4711 Xy/zz+password"
SLACK = "https://hooks.slack.com/services/T0PLANTED/B0PLANTED/PLANTEDplantedPLANTED"
BEARER = "PlantedBearerTokenPlantedBearerToken"
PAGERDUTY = "0123456789abcdef0123456789abcdef"
PLANTED = {
    "the database's password": DATABASE,
    "it in base64": base64.b64encode(DATABASE.encode()).decode(),
    "it inside base64": base64.b64encode(f"sluice:{DATABASE}".encode()).decode(),
    "it in a URL": quote(DATABASE, safe=""),
    "Slack's address": SLACK,
    "a bearer token": BEARER,
    "PagerDuty's key": PAGERDUTY,
}
# As they would stand in a log: the token has a name before it, the others are known by their value or shape.
TEXT = " ".join(value if value != BEARER else f"Authorization: Bearer {value}" for value in PLANTED.values())


@dataclass
class Cluster(FakeInspection):
    """A cluster with one Secret that the run did not make, and everything else full of planted ones."""

    async def secret_values(self, namespace: str) -> tuple[str, ...]:
        return (PAGERDUTY,) if namespace == "monitoring" else ()

    async def describe(self, namespace: str, pod: str) -> str:
        return f"args: {TEXT}\n"


def filled(run: Run) -> SuiteResults:
    """A run's folder as its steps and suites leave it."""
    test = TestResult(
        id="tests/e2e/api/test_a.py::test_it",
        suite="api",
        outcome="failed",
        started=1000.0,
        seconds=2.0,
        message=f"{TEXT}\n{'x' * 3_980} {TEXT}",
        request_ids=("e2e-1",),
    )
    failure = f'<failure message="{TEXT}">{TEXT}</failure>'
    case = f'<testcase classname="tests.e2e.api.test_a" name="test_it">{failure}</testcase>'
    files = {
        "suites.log": f"connecting\n{TEXT}\n",
        "suites.jsonl": json.dumps({"event": "finished", "test": test.id, "message": TEXT, "report": TEXT}) + "\n",
        "junit.xml": f"<testsuites><testsuite>{case}</testsuite></testsuites>",
        "logs/helm-backend.log": TEXT,
        "logs/values-backend.yaml": f"password: {DATABASE}\nurl: {SLACK}\nother: {TEXT}\n",
        "tables/a.json": json.dumps({"name": "a", "title": "A", "columns": ["x"], "rows": [[TEXT]], "note": TEXT}),
        "extension-evidence.json": json.dumps({"deep": [{"labels": {"token": BEARER, "other": TEXT}}]}),
    }
    for name, text in files.items():
        path = run.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    run.timings.append(StepTiming("prepare cluster", 990.0, 1.0, "failed", TEXT))
    return SuiteResults(990.0, 1010.0, (test,), 1)


async def said(*_: object) -> str:
    return f"a log {TEXT}\n"


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """A judge who asks stand-ins."""
    points = tuple((float(at), float(at)) for at in range(980, 1040, 5))
    series = Series({"pod": TEXT, "client_secret": DATABASE, "alertname": "A", "alertstate": "firing"}, points)
    metrics = KeptMetrics(series={"": (series,)})
    levels = [line(1001.0, "backend", level, message=f"e2e-1 {TEXT}", api_key=BEARER) for level in ("ERROR", "UNKNOWN")]
    plain = replace(levels[1], text=f"FATAL: {TEXT} e2e-1 " + "y" * 7_900 + TEXT)
    cluster = Cluster(
        pod_list=(replace(crashing_pod("backend-1"), message=TEXT),),
        event_list=(ClusterEvent(1001.0, "default", "Pod", "backend-1", True, "Failed", TEXT),),
        sidecar_list=(Sidecar("backend-1", components=(TEXT,), subscriptions=(TEXT,)), Sidecar("b", error=TEXT)),
        log_of=said,
    )

    @asynccontextmanager
    async def connect(_: Path) -> AsyncIterator[None]:
        yield None

    monkeypatch.setattr(judging, "connect", connect)
    monkeypatch.setattr(judging, "ServiceProxy", lambda *_: None)
    monkeypatch.setattr(judging, "ApiWorkloads", lambda _: cluster)
    monkeypatch.setattr(judging, "PrometheusMetrics", lambda _: metrics)
    monkeypatch.setattr(judging, "LokiLogs", lambda _: ReadableLogs(kept=(*levels, plain)))
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("")
    return Judge(
        Settings(),
        Run(tmp_path / "home", FakeProgress()),
        POLICY,
        kubeconfig=kubeconfig,
        dashboards=Path(__file__).parents[3] / "helm" / "monitoring" / "dashboards",
        suites=("api",),
        components=tuple,
        secrets=lambda: (DATABASE,),
        ended=1010.0,
    )


async def test_nothing_that_is_written_holds_a_secret(judge: Judge) -> None:
    run = judge._run
    judge.begin()
    results = filled(run)
    found = await judge.gather_failure(results, [f"the charts: {TEXT}"])
    assert found
    assert found.tests[0].bundle
    await judge.collect_dashboards(found)
    evidence = await judge.collect_evidence(None, Images(()), None, found, [f"the charts: {TEXT}"])
    judge.write_report(evidence, evaluate_gate(POLICY, evidence))
    texts = {
        path.relative_to(run.folder).as_posix(): path.read_text(encoding="utf-8")
        for path in run.folder.rglob("*")
        if path.is_file()
    }
    assert {name for name in texts if name.startswith("failure/")} >= {
        f"failure/tests/api-test-a-test-it/{name}.{end}"
        for name, end in (("README", "txt"), ("requests", "log"), ("warnings", "log"), ("metrics", "txt"))
    }
    # A part of one would do: what was cut before it was masked, or whose digits were changed.
    parts = [(what, value[at : at + 12]) for what, value in PLANTED.items() for at in (0, len(value) - 12)]
    leaked = [
        (name, what)
        for name, text in texts.items()
        for what, value in (*PLANTED.items(), *parts)
        if value in text and value not in SLACK[:32]
    ]
    assert leaked == []
    assert [
        name for name in ("evidence.json", "junit.xml", "suites.jsonl", "report.html") if "***" not in texts[name]
    ] == []
