"""A failed test's bundle: from it alone one can tell what happened, and it is bounded, masked and never an error."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.fakes import FakeInspection, KeptMetrics, ReadableLogs, crashing_pod, running_pod

from sluice.domain import Series, SuiteResults, TestResult
from sluice.ports import ClusterEvent, LogLine, Sidecar
from sluice.steps.gather_tests import Sources, gather_tests, slug

pytestmark = pytest.mark.anyio

REQUEST, TRACE = "e2e-0b9d4f43-29b3-4f54-8f20-0a3f6c1e2d11", "0b9d4f4329b34f548f200a3f6c1e2d11"
TEST = TestResult(
    id="tests/e2e/api/test_tasks.py::test_a_task_is_created[large]",
    suite="api",
    outcome="failed",
    started=1000.0,
    seconds=2.0,
    message="AssertionError: expected 201, got 503\nat tests/e2e/support.py:141",
    request_ids=(REQUEST,),
    trace_ids=(TRACE,),
)
FOLDER = "failure/tests/api-test-tasks-test-a-task-is-created-large"


def line(at: float, service: str, level: str, **fields: object) -> LogLine:
    labels = {"namespace": "default", "pod": f"{service}-1", "container": service, "service": service, "level": level}
    return LogLine(at, labels, json.dumps({"level": level, "service": service, **fields}))


LINES = (
    line(900.0, "backend", "ERROR", message="long before"),
    line(1000.5, "backend", "INFO", message="request begun", request_id=REQUEST, user_id="e2e-user-1"),
    line(
        1001.0,
        "backend",
        "ERROR",
        message="unhandled error",
        request_id=REQUEST,
        traceback="Traceback:\n  File x\nOperationalError: the database is away",
    ),
    line(1001.2, "sync", "WARNING", message="closed", user_id="e2e-user-1"),
    line(1001.5, "audit", "INFO", message="event handled", trace_id=TRACE),
    line(1001.6, "audit", "INFO", message="of somebody else", trace_id="f" * 32),
    LogLine(1001.7, {"namespace": "default", "pod": "postgresql-0", "level": "UNKNOWN"}, "FATAL:  shutting down"),
    LogLine(1001.8, {"namespace": "default", "pod": "postgresql-0", "level": "UNKNOWN"}, "LOG:  all is well"),
)


def points(*values: float, first: float = 985.0, every: float = 5.0) -> tuple[tuple[float, float], ...]:
    return tuple((first + number * every, value) for number, value in enumerate(values))


METRICS = KeptMetrics(
    series={
        'status=~"5.."': (Series({"service": "backend", "status": "503"}, points(*[3] * 5, *[10] * 6)),),
        "kube_pod_status_ready": (
            Series({"pod": "backend-1"}, points(*[1] * 4, 0, *[1] * 6)),
            Series({"pod": "audit-1"}, points(*[1] * 11)),
        ),
        "kafka_consumergroup_lag": (Series({"consumergroup": "audit", "topic": "tasks"}, points(0, *[7] * 10)),),
        "ALERTS": (
            Series({"alertname": "PostgresqlDown", "alertstate": "pending", "service": "postgresql"}, points(1, 1)),
        ),
    }
)
CLUSTER = FakeInspection(
    pod_list=(running_pod("audit-1"), crashing_pod("postgresql-0")),
    event_list=(
        ClusterEvent(500.0, "default", "Pod", "old", True, "Killing", "long before"),
        ClusterEvent(1001.0, "default", "Pod", "postgresql-0", True, "OOMKilled", "out of memory"),
        ClusterEvent(2000.0, "default", "Pod", "later", True, "BackOff", "seen again", 3),
    ),
    sidecar_list=(Sidecar("audit-1", "audit", "1.16.0", ("pubsub (pubsub.kafka/v1)",), ("pubsub/tasks to /events",)),),
)


async def gather(tmp_path: Path, *tests: TestResult, **more: Any) -> tuple[SuiteResults, list[str]]:
    cut: list[str] = []
    given = {"reports": {TEST.id: "the whole report\nE  503"}, **more}
    results = await gather_tests(
        SuiteResults(990.0, 1100.0, tests or (TEST,), 1),
        given.pop("failures", ()),
        tmp_path / "run-1",
        given.pop("sources", Sources(METRICS, ReadableLogs(kept=LINES), CLUSTER)),
        namespace="default",
        cut=cut,
        **given,
    )
    assert results
    return results, cut


def text(tmp_path: Path, name: str, folder: str = FOLDER) -> str:
    return (tmp_path / "run-1" / folder / name).read_text(encoding="utf-8")


async def test_the_first_page_says_what_failed_where_to_look_and_how_to_run_it_again(tmp_path: Path) -> None:
    results, cut = await gather(tmp_path)
    assert (results.tests[0].bundle, cut) == (FOLDER, [])
    page = text(tmp_path, "README.txt")
    assert page.startswith(f"{TEST.id}\nfailed after 2 s, 1970-01-01T00:16:40.000Z")
    for said in (
        "expected 201, got 503",
        "requests.log   4 lines of audit, backend, sync name its requests; 2 of them WARNING or worse",
        "unhandled error",
        "OperationalError: the database is away",
        "pending  PostgresqlDown",
        "OOMKilled: out of memory",
        "requests failed (5xx): 3 → 10  (+7)  service=backend, status=503",
        "pods ready: 1 → 1  (between 0 and 1)  pod=backend-1",
        REQUEST,
        TRACE,
        "2 events of Kubernetes, 2 of them warnings",
        "./nox -s e2e -- --reuse --suite api",
        f"SLUICE_E2E_CONTEXT=.sluice/runs/run-1/suites-context.json PYTHONPATH=ci/src "
        f".sluice/venv-*/bin/python -m pytest -c pyproject.toml '{TEST.id}'",
    ):
        assert said in page, said
    assert "NOT TO BE HAD" not in page
    assert "seen again" not in page, "what was seen last long after is in events.txt alone"
    assert "audit-1" not in page.partition("What moved most")[2].partition("ITS REQUESTS")[0], "it did not move"


async def test_logs_are_by_request_trace_and_user_then_all_that_went_wrong(tmp_path: Path) -> None:
    await gather(tmp_path)
    named = text(tmp_path, "requests.log")
    assert [part for part in ("begun", "unhandled", "closed", "event handled") if part not in named] == []
    assert "of somebody else" not in named
    assert "\n    OperationalError: the database is away\n" in named, "a traceback is unfolded"
    worse = text(tmp_path, "warnings.log")
    assert [said for said in ("unhandled error", "closed", "FATAL:  shutting down") if said not in worse] == []
    assert not [said for said in ("begun", "all is well", "long before") if said in worse]


async def test_what_tests_provoke_is_kept_and_not_taken_for_the_cause(tmp_path: Path) -> None:
    provoked = line(1001.0, "backend", "ERROR", message="unhandled error", why="sluice-provoked-7")
    await gather(tmp_path, sources=Sources(METRICS, ReadableLogs(kept=(provoked, LINES[3])), CLUSTER))
    assert "sluice-provoked-7" in text(tmp_path, "warnings.log")
    page = text(tmp_path, "README.txt")
    assert "2 lines of WARNING or worse, of all pods; 1 that tests provoked" in page
    assert "1 × WARNING sync: closed" in page
    assert "unhandled error" not in page


async def test_each_other_file_has_what_belongs_there(tmp_path: Path) -> None:
    await gather(tmp_path)
    assert text(tmp_path, "failure.txt") == "the whole report\nE  503"
    assert "consumer" not in text(tmp_path, "metrics.txt")
    assert "messages not yet confirmed: 1 of 1 series moved\n  0 → 7  consumergroup=audit" in text(
        tmp_path, "kafka.txt"
    )
    assert "At the end of that time:\n  7  consumergroup=audit, topic=tasks" in text(tmp_path, "kafka.txt")
    assert "subscribed: pubsub/tasks to /events" in text(tmp_path, "dapr.txt")
    events = text(tmp_path, "events.txt")
    assert "OOMKilled" in events
    assert "seen again (3 times)" in events, "what came again may have come in between too"
    assert "long before" not in events
    pods = text(tmp_path, "pods.txt")
    assert "default/postgresql-0: Running, not ready" in pods
    assert "description of default/postgresql-0" in pods
    assert "audit-1" not in pods
    assert METRICS.ranges[-1][1:3] == (985.0, 1032.0), "15 s before the test, 30 s after it"


async def test_only_the_first_failed_tests_get_a_folder_and_the_index_names_all(tmp_path: Path) -> None:
    tests = [
        replace(TEST, id=f"tests/e2e/api/test_a.py::test_{number}", started=1000.0 + number) for number in range(4)
    ]
    passed = replace(TEST, id="tests/e2e/api/test_a.py::test_passed", outcome="passed")
    results, cut = await gather(tmp_path, passed, *tests, most=2, failures=("loki-0 is not ready",))
    assert [bool(test.bundle) for test in results.tests] == [False, True, True, False, False]
    assert cut == ["failure/tests: 2 of 4 failed tests have no folder"]
    page = text(tmp_path, "README.txt", "failure")
    assert "1 failures of the run itself, 4 failed tests" in page
    assert "loki-0 is not ready" in page
    assert "read failure/tests/api-test-a-test-1/README.txt" in page
    assert page.count("no folder of its own") == 2
    assert "test_passed" not in page


def test_names_of_folders_are_safe_short_and_each_one_s_own() -> None:
    taken: set[str] = set()
    assert slug("tests/e2e/api/test_a.py::test_x[../../etc/passwd]", taken) == "api-test-a-test-x-etc-passwd"
    assert slug("tests/e2e/api/test_a.py::test_x[..//..//etc/passwd]", taken) == "api-test-a-test-x-etc-passwd-2"
    assert len(slug("tests/e2e/" + "long" * 100, taken)) == 80
