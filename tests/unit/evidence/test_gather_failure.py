"""The bundle of a failed run: complete where it can be, bounded, masked, and never an error of its own."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.unit.fakes import FakeWorkloads, crashing_pod, never, running_pod

from sluice.ports import ClusterEvent, PodState, Rollout
from sluice.steps.gather_failure import gather_failure

pytestmark = pytest.mark.anyio


async def a_log(pod: str, container: str, previous: bool) -> str:
    return f"{'previous ' if previous else ''}log of {pod} {container}\n"


def cluster(**changes: object) -> FakeWorkloads:
    values: dict[str, object] = {
        "pod_list": (running_pod("well"), crashing_pod("broken")),
        "event_list": (
            ClusterEvent(0, "default", "Pod", "broken", True, "BackOff", "restarting password=hunter2", 7),
            ClusterEvent(1, "default", "PersistentVolumeClaim", "data", True, "ProvisioningFailed", "no room"),
            ClusterEvent(2, "default", "Pod", "well", False, "Started", "started"),
        ),
        "rollout_list": (Rollout("default", "Deployment", "broken", False, "0 of 1 pods are available", "a=b"),),
        "log_of": a_log,
    }
    return FakeWorkloads(**{**values, **changes})  # type: ignore[arg-type]


def text(folder: Path, name: str) -> str:
    return (folder / "failure" / name).read_text(encoding="utf-8")


async def gather(reading: FakeWorkloads, folder: Path, **more: Any) -> tuple[tuple[str, ...], str]:
    """The files that were written, and what was left out."""
    cut: list[str] = []
    files = await gather_failure(reading, folder, cut=cut, **more)
    return files, "\n".join(cut)


async def test_it_has_states_events_a_summary_and_every_log(tmp_path: Path) -> None:
    files, _ = await gather(cluster(), tmp_path)
    assert sorted(files) == [
        "failure/events.txt",
        "failure/logs/default/broken/main.previous.log",
        "failure/logs/default/well/main.log",
        "failure/pods.txt",
        "failure/summary.txt",
    ]
    assert text(tmp_path, "logs/default/broken/main.previous.log") == "previous log of broken main\n"
    summary = text(tmp_path, "summary.txt")
    assert summary.startswith("2 pods, 1 not ready or restarted; 1 workloads not done\n")
    assert "default/Deployment/broken: 0 of 1 pods are available" in summary
    assert "container main: waiting, CrashLoopBackOff, back-off 40s" in summary
    assert "event 1970-01-01T00:00:00.000Z Warning default/Pod/broken BackOff" in summary
    assert "Other warnings:\n1970-01-01T00:00:01.000Z Warning default/PersistentVolumeClaim/data" in summary
    assert "default/well" not in summary
    assert "default/well: Running, ready, on node" in text(tmp_path, "pods.txt")


async def test_secrets_are_masked_in_every_file(tmp_path: Path) -> None:
    async def leaky(*_: object) -> str:
        return "connecting with the-database-key and POSTGRES_PASSWORD=hunter2\n"

    files, _ = await gather(cluster(log_of=leaky), tmp_path, secrets=["the-database-key"])
    for file in files:
        content = (tmp_path / file).read_text(encoding="utf-8")
        assert "hunter2" not in content
        assert "the-database-key" not in content
    assert "connecting with *** and POSTGRES_PASSWORD=***" in text(tmp_path, "logs/default/well/main.log")


async def test_what_is_broken_comes_first_and_what_found_no_room_is_named(tmp_path: Path) -> None:
    async def long(pod: str, *_: object) -> str:
        return "".join(f"{pod} {number}\n" for number in range(1000))

    pods = (*(running_pod(f"well-{number}") for number in range(5)), crashing_pod("broken"))
    reading = cluster(pod_list=pods, log_of=long)
    _, cut = await gather(reading, tmp_path, max_bytes=1000)
    assert reading.log_reads[0] == ("broken", "main", True)
    kept = text(tmp_path, "logs/default/broken/main.previous.log")
    assert kept.endswith("broken 999\n")
    assert kept.startswith("broken ")
    assert len(kept) <= 1000
    assert "logs/default/broken/main.previous.log: the first" in cut
    assert "logs/default/well-4/main.log: left out, the bundle is full" in cut
    assert sum(path.stat().st_size for path in (tmp_path / "failure" / "logs").rglob("*.log")) <= 1000


async def test_room_that_a_short_log_did_not_need_goes_to_the_next(tmp_path: Path) -> None:
    pods = tuple(running_pod(f"well-{number}") for number in range(20))
    files, cut = await gather(cluster(pod_list=pods), tmp_path, max_bytes=4_000_000)
    assert len([file for file in files if file.endswith(".log")]) == 20
    assert cut == ""


@pytest.mark.parametrize("broken", ["pods", "events", "rollouts", "logs"])
async def test_what_cannot_be_read_is_named_and_takes_nothing_else_with_it(tmp_path: Path, broken: str) -> None:
    files, cut = await gather(cluster(broken=frozenset({broken})), tmp_path)
    assert "403: forbidden" in cut
    assert "failure/summary.txt" in files
    expected = {"pods": "failure/events.txt", "events": "failure/logs/default/well/main.log"}
    assert expected.get(broken, "failure/pods.txt") in files


async def test_logs_that_never_come_end_at_the_deadline_and_are_named(tmp_path: Path) -> None:
    with anyio.fail_after(5):
        files, cut = await gather(cluster(log_of=never), tmp_path, deadline_seconds=0.1)
    assert "failure/summary.txt" in files
    assert "the deadline of 0.1 s passed" in cut
    assert "logs/default/well/main.log" in cut


async def test_it_goes_on_under_cancellation(tmp_path: Path) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await gather(cluster(), tmp_path)
    assert text(tmp_path, "logs/default/well/main.log") == "log of well main\n"


async def test_an_error_that_nobody_foresaw_is_noted(tmp_path: Path) -> None:
    async def bug(*_: object) -> str:
        raise ZeroDivisionError("a bug")

    files, cut = await gather(cluster(log_of=bug), tmp_path)
    assert "failure/pods.txt" in files
    assert "gathering stopped: " in cut


async def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "failure").write_text("a file where the folder should be", encoding="utf-8")
    files, cut = await gather(cluster(), tmp_path)
    assert files == ()
    assert "failure/pods.txt: not written: " in cut


async def test_names_that_are_no_file_names_stay_inside_the_bundle(tmp_path: Path) -> None:
    pod = PodState("default", "../../etc", "Running", True, containers=running_pod("x").containers)
    files, _ = await gather(cluster(pod_list=(pod,)), tmp_path)
    assert "failure/logs/default/.._.._etc/main.log" in files
