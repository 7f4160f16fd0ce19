"""What is started, with which environment, and what is removed between two releases."""

import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import httpx
import pytest
from bench.gate_mutants.leavings import forget_metrics, remove_all
from bench.gate_mutants.running import Line, execute, failures

from sluice.errors import NotReady

ROOT = Path(__file__).parents[3]
JUNIT = """<testsuites><testsuite>
<testcase classname="tests.rules.test_x" name="fine"/>
<testcase classname="tests.rules.test_x" name="bad[a.b]"><failure message="no"/></testcase>
<testcase classname="tests.unit.slo.test_y" name="broken"><error message="no"/></testcase>
</testsuite></testsuites>"""


def test_a_run_gets_the_copys_code_and_the_benchs_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "ci" / "src"))
    monkeypatch.setenv("SLUICE_RUN_CACHE", str(tmp_path / "cache"))
    line = Line("mine", 5099, ("api",), tmp_path / "tools")
    environment = line.environment(tmp_path)
    assert environment["PYTHONPATH"] == str(tmp_path / "ci" / "src")
    settings = line.settings(tmp_path)
    assert (settings.cluster.name, settings.cluster.registry_port) == ("mine", 5099)
    assert settings.run.runtime == "docker"


def test_a_programs_words_are_in_the_log_and_its_status_comes_back(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"]
    assert execute(words, cwd=tmp_path, env={}, log=tmp_path / "log", seconds=60) == 3
    assert sorted((tmp_path / "log").read_text().split()) == ["err", "out"]


def test_at_the_deadline_a_program_is_stopped(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    assert execute(words, cwd=tmp_path, env={}, log=tmp_path / "log", seconds=0) != 0


def test_failures_are_named_as_pytest_names_them(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(JUNIT)
    expected = ["tests/rules/test_x.py::bad[a.b]", "tests/unit/slo/test_y.py::broken"]
    assert failures(tmp_path / "junit.xml") == expected
    assert failures(tmp_path / "none.xml") == []


def cluster(pods: list[str], asked: list[str], *, stuck: bool = False) -> Callable[[httpx.Request], httpx.Response]:
    """An API server whose pods go when they are killed, unless they are stuck."""

    def answer(request: httpx.Request) -> httpx.Response:
        kind = request.url.path.rpartition("/")[2]
        asked.append(f"{request.method} {kind} {request.url.query.decode()}".strip())
        if request.method == "DELETE":
            if kind == "pods" and not stuck:
                pods.clear()
            return httpx.Response(200, json={})
        items = [{"metadata": {"name": name}} for name in (pods if kind == "pods" else [])]
        return httpx.Response(200, json={"items": items})

    return answer


def remove(answer: Callable[[httpx.Request], httpx.Response], seconds: float) -> None:
    async def work() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://cluster") as client:
            await remove_all(client, "default", seconds=seconds, every=0)

    anyio.run(work)


def test_everything_that_keeps_something_goes_and_pods_are_waited_for() -> None:
    asked: list[str] = []
    pods = ["backend-1", "kafka-0"]
    remove(cluster(pods, asked), seconds=60)
    removed = [one.split()[1] for one in asked if one.startswith("DELETE")]
    assert removed[0] == "horizontalpodautoscalers"
    assert {"deployments", "statefulsets", "jobs", "persistentvolumeclaims", "secrets", "configmaps"} <= set(removed)
    assert "DELETE pods gracePeriodSeconds=0" in asked
    assert asked[-1] == "GET persistentvolumeclaims"
    assert pods == []


def forget(*, stuck: bool = False, volumes: int = 1) -> list[str]:
    """Let a Prometheus forget; what was asked of its API server. Its claim goes with its pod, and is made anew."""
    asked: list[str] = []
    claims = {"uid-1": "db-0"} if volumes else {}

    def answer(request: httpx.Request) -> httpx.Response:
        kind = request.url.path.removeprefix("/api/v1/namespaces/watchers/")
        assert request.url.params["labelSelector"] == "app.kubernetes.io/name=prometheus"
        asked.append(f"{request.method} {kind}")
        if asked[-1] == "DELETE pods" and claims and not stuck:
            claims.clear()
            claims["uid-2"] = "db-0"
        return httpx.Response(200, json={"items": [{"metadata": {"uid": uid, "name": claims[uid]}} for uid in claims]})

    async def work() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://cluster") as client:
            await forget_metrics(client, "watchers", seconds=0, every=0)

    anyio.run(work)
    return asked


def test_prometheus_and_nothing_else_of_monitoring_begins_anew() -> None:
    both = ["GET persistentvolumeclaims", "DELETE persistentvolumeclaims", "DELETE pods", "GET persistentvolumeclaims"]
    assert forget() == both
    assert forget(volumes=0) == both
    with pytest.raises(NotReady, match="db-0"):
        forget(stuck=True)


def test_what_stays_is_told_and_a_refusal_is_no_success() -> None:
    with pytest.raises(NotReady, match="backend-1"):
        remove(cluster(["backend-1"], [], stuck=True), seconds=0)
    with pytest.raises(httpx.HTTPStatusError):
        remove(lambda _: httpx.Response(403), seconds=0)
