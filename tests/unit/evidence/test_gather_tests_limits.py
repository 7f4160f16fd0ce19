"""What a bundle does without: nobody to ask, refusals, deadlines, no room; and it never holds a secret."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from tests.unit.evidence.full_disk import full_disk
from tests.unit.evidence.test_gather_tests import CLUSTER, FOLDER, LINES, METRICS, REQUEST, TEST, gather, line, text
from tests.unit.fakes import KeptMetrics, ReadableLogs

from sluice.domain import Series
from sluice.ports import ClusterEvent
from sluice.steps.gather_tests import Sources, gather_tests

pytestmark = pytest.mark.anyio


async def test_with_nobody_to_ask_there_is_what_pytest_said(tmp_path: Path) -> None:
    results, _ = await gather(tmp_path, sources=Sources(None, None, None), reports={})
    assert results.tests[0].bundle == FOLDER
    assert text(tmp_path, "failure.txt") == TEST.message
    assert "the cluster: there is none to ask any more" in text(tmp_path, "README.txt")


async def test_a_run_that_never_got_to_its_suites_has_a_first_page_too(tmp_path: Path) -> None:
    nobody = Sources(None, None, None)
    found = await gather_tests(None, ["no engine"], tmp_path, nobody, namespace="default", reports={}, cut=[])
    assert found is None
    assert "WHAT BROKE THE RUN\n  no engine" in (tmp_path / "failure" / "README.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("broken", ["pods", "events", "sidecars", "describe"])
async def test_what_is_refused_is_named_and_takes_nothing_else_with_it(tmp_path: Path, broken: str) -> None:
    await gather(
        tmp_path, sources=Sources(METRICS, ReadableLogs(kept=LINES), replace(CLUSTER, broken=frozenset({broken})))
    )
    page = text(tmp_path, "README.txt")
    assert "403: forbidden" in page.partition("NOT TO BE HAD")[2]
    assert "unhandled error" in text(tmp_path, "requests.log")


async def test_a_pod_that_was_stopped_is_told_though_that_is_no_warning(tmp_path: Path) -> None:
    stopped = ClusterEvent(1000.2, "default", "Pod", "postgresql-0", False, "Killing", "Stopping container postgresql")
    sources = Sources(METRICS, ReadableLogs(kept=LINES), replace(CLUSTER, event_list=(stopped,)))
    await gather(tmp_path, sources=sources)
    assert "Normal default/Pod/postgresql-0 Killing: Stopping container" in text(tmp_path, "README.txt")


async def test_of_a_long_traceback_the_page_has_the_end(tmp_path: Path) -> None:
    frames = "".join(f'  File "a.py", line {number}\n' for number in range(200))
    told = line(1001.0, "backend", "ERROR", message=REQUEST, traceback=f"Traceback:\n{frames}OSError: refused")
    await gather(tmp_path, sources=Sources(METRICS, ReadableLogs(kept=(told,)), CLUSTER))
    page = text(tmp_path, "README.txt")
    assert "OSError: refused" in page
    assert "line 199" in page
    assert "line 100" not in page
    assert "[189 lines more]" in page
    assert "line 100" in text(tmp_path, "requests.log")


async def test_a_prometheus_that_has_forgotten_that_time_is_told(tmp_path: Path) -> None:
    await gather(tmp_path, sources=Sources(KeptMetrics(), ReadableLogs(kept=LINES), CLUSTER))
    assert "metrics: Prometheus has none of that time" in text(tmp_path, "README.txt").partition("NOT TO BE HAD")[2]


async def test_of_warnings_that_repeat_themselves_one_is_shown(tmp_path: Path) -> None:
    probes = tuple(
        ClusterEvent(1000.0 + n, "default", "Pod", f"sync-{n}", True, "Unhealthy", f"probe {n} failed")
        for n in range(9)
    )
    cluster = replace(CLUSTER, event_list=(*CLUSTER.event_list, *probes))
    await gather(tmp_path, sources=Sources(METRICS, ReadableLogs(kept=LINES), cluster))
    page = text(tmp_path, "README.txt")
    assert page.count("Unhealthy: probe") == 1
    assert "probe 8 failed" in page
    assert "OOMKilled" in page
    assert text(tmp_path, "events.txt").count("Unhealthy: probe") == 9


class Refusing(KeptMetrics):
    async def range(self, *_: object, **__: object) -> tuple[Series, ...]:
        raise ZeroDivisionError("a bug of ours")


async def test_metrics_that_fail_leave_the_logs(tmp_path: Path) -> None:
    await gather(tmp_path, sources=Sources(Refusing(), ReadableLogs(kept=LINES), CLUSTER))
    assert "requests failed (5xx): ZeroDivisionError: a bug of ours" in text(tmp_path, "README.txt")
    assert "unhandled error" in text(tmp_path, "requests.log")


class Hanging(KeptMetrics):
    async def range(self, *_: object, **__: object) -> tuple[Series, ...]:
        await anyio.sleep_forever()
        raise AssertionError


async def test_at_the_deadline_the_page_is_written_of_what_there_is(tmp_path: Path) -> None:
    sources = Sources(Hanging(), ReadableLogs(kept=LINES), CLUSTER)
    with anyio.fail_after(10):
        results, cut = await gather(tmp_path, sources=sources, deadline_seconds=0.2)
    assert results.tests[0].bundle == FOLDER
    assert "not all was read: the time for gathering was over" in text(tmp_path, "README.txt")
    assert "unhandled error" in text(tmp_path, "requests.log")
    assert cut == ["failure/tests: not all was read within 0.2 s: see each README.txt"]


async def test_it_goes_on_under_cancellation(tmp_path: Path) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await gather(tmp_path)
    assert "RUN IT AGAIN" in text(tmp_path, "README.txt")


async def test_it_is_bounded_and_says_what_had_no_room(tmp_path: Path) -> None:
    many = tuple(line(1001.0 + number / 1000, "backend", "ERROR", message="x" * 200) for number in range(2000))
    _, cut = await gather(tmp_path, sources=Sources(METRICS, ReadableLogs(kept=many), CLUSTER), max_bytes=50_000)
    sizes = {path.name: path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()}
    assert sum(size for name, size in sizes.items() if name != "README.txt") <= 50_000
    assert "RUN IT AGAIN" in text(tmp_path, "README.txt"), "the first page always has room"
    assert any(said.startswith(f"{FOLDER}/warnings.log: ") and "no more room" in said for said in cut)
    assert any("all after its first 2000 lines" in said for said in cut)


async def test_a_long_line_is_cut_before_a_secret_and_not_within_it(tmp_path: Path) -> None:
    long = replace(TEST, message=f"{'x' * 589} planted-secret-of-many-letters and more")
    broken = (f"{'y' * 589} planted-secret-of-many-letters and more",)
    await gather(tmp_path, long, failures=broken, secrets=["planted-secret-of-many-letters"], reports={})
    assert "y" * 589 in text(tmp_path, "README.txt", "failure")
    for page in (text(tmp_path, "README.txt"), text(tmp_path, "README.txt", "failure")):
        assert "x" * 589 in page
        assert "planted" not in page


async def test_what_is_written_is_masked_when_it_is_written(tmp_path: Path) -> None:
    leaky = tuple(replace(one, text=one.text.replace("unhandled error", "password=hunter2!")) for one in LINES)
    await gather(tmp_path, sources=Sources(METRICS, ReadableLogs(kept=leaky), CLUSTER))
    assert "password=***" in text(tmp_path, "requests.log")
    assert not [path for path in tmp_path.rglob("*.*") if path.is_file() and "hunter2" in path.read_text()]


async def test_on_a_full_disk_no_bundle_is_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_disk(monkeypatch, tmp_path, 10)
    results, cut = await gather(tmp_path)
    assert results.tests[0].bundle == ""
    assert f"{FOLDER}/README.txt: not written: No space left on device" in cut
