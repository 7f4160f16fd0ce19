"""Waiting for workloads: it ends well, or says which pod, why, and its last words."""

from dataclasses import replace

import pytest
from tests.unit.fakes import FakeWorkloads, crashing_pod, running_pod

from sluice.adapters.kubernetes.rollout import wait_rolled_out
from sluice.errors import NotReady
from sluice.ports import ClusterEvent, ContainerState, PodState, Rollout

pytestmark = pytest.mark.anyio

DONE = Rollout("default", "Deployment", "backend", done=True, detail="1 of 1 pods are available", selector="app=b")
WAITING = replace(DONE, done=False, detail="0 of 1 pods are available")


class Slow(FakeWorkloads):
    """Its workloads are done at the third look."""

    looks = 0

    async def rollouts(self, namespace: str = "", *, selector: str = "") -> tuple[Rollout, ...]:
        self.looks += 1
        return (DONE,) if self.looks >= 3 else (WAITING,)


async def test_it_returns_when_everything_is_rolled_out_and_tells_each_change_once() -> None:
    told: list[str] = []
    slow = Slow()
    await wait_rolled_out(slow, ["default"], deadline_seconds=5, poll_seconds=0.01, on_change=told.append)
    assert slow.looks == 3
    assert told == ["default/Deployment/backend: 0 of 1 pods are available"]


async def test_at_the_deadline_it_names_the_pod_the_reason_the_event_and_the_last_lines() -> None:
    async def log_of(pod: str, container: str, previous: bool) -> str:
        assert (pod, container, previous) == ("backend-1", "main", True)
        return "starting\nno database: connection refused\n"

    def event(at: float, warning: bool, reason: str) -> ClusterEvent:
        return ClusterEvent(at, "default", "Pod", "backend-1", warning, reason, f"{reason} happened")

    cluster = FakeWorkloads(
        pod_list=(running_pod("backend-0"), crashing_pod("backend-1")),
        event_list=(event(1, True, "BackOff"), event(2, False, "Pulled")),
        rollout_list=(WAITING,),
        log_of=log_of,
    )
    with pytest.raises(NotReady) as raised:
        await wait_rolled_out(cluster, ["default"], deadline_seconds=0.05, poll_seconds=0.01)
    assert [line.strip() for line in raised.value.seen.splitlines()] == [
        "default/Deployment/backend: 0 of 1 pods are available",
        "pod default/backend-1 is Running",
        (
            "container main is waiting, CrashLoopBackOff: back-off 40s restarting failed container, "
            "restarted 3 times, last: Error, exit code 1"
        ),
        "last event: BackOff: BackOff happened",
        "last lines of main:",
        "| starting",
        "| no database: connection refused",
    ]
    assert raised.value.next_command == "kubectl -n default describe pod backend-1"


async def test_a_pod_that_fits_no_node_is_named_with_the_schedulers_words() -> None:
    pod = PodState("default", "backend-1", "Pending", ready=False, message="0/1 nodes are available")
    cluster = FakeWorkloads(pod_list=(pod,), rollout_list=(WAITING,))
    with pytest.raises(NotReady, match="backend-1 is Pending: 0/1 nodes are available"):
        await wait_rolled_out(cluster, ["default"], deadline_seconds=0.05, poll_seconds=0.01)


async def test_a_pod_that_waits_for_its_volume_is_told_by_the_event_of_its_claim() -> None:
    def event(namespace: str, claim: str, message: str) -> ClusterEvent:
        return ClusterEvent(1, namespace, "PersistentVolumeClaim", claim, True, "ProvisioningFailed", message)

    pod = PodState("default", "backend-1", "Pending", ready=False)
    events = (event("default", "data-backend-1", "no such account"), event("other", "data-backend-1", "elsewhere"))
    cluster = FakeWorkloads(pod_list=(pod,), event_list=events, rollout_list=(WAITING,))
    with pytest.raises(NotReady, match="last event: ProvisioningFailed: no such account"):
        await wait_rolled_out(cluster, ["default"], deadline_seconds=0.05, poll_seconds=0.01)


async def test_an_init_container_that_hangs_is_the_culprit() -> None:
    init = ContainerState(name="migrate", init=True, ready=False, restarts=0, state="running")
    main = ContainerState("main", init=False, ready=False, restarts=0, state="waiting", reason="PodInitializing")
    pod = PodState("default", "backend-1", "Pending", ready=False, containers=(init, main))
    cluster = FakeWorkloads(pod_list=(pod,), rollout_list=(WAITING,), broken=frozenset({"logs"}))
    with pytest.raises(NotReady, match="container migrate is running"):
        await wait_rolled_out(cluster, ["default"], deadline_seconds=0.05, poll_seconds=0.01)


async def test_a_workload_whose_pods_are_not_even_made_is_told_by_its_replica_sets_event() -> None:
    event = ClusterEvent(1, "default", "ReplicaSet", "backend-5d4", True, "FailedCreate", "quota exceeded")
    cluster = FakeWorkloads(event_list=(event,), rollout_list=(WAITING,))
    with pytest.raises(NotReady, match="last event: FailedCreate: quota exceeded"):
        await wait_rolled_out(cluster, ["default"], deadline_seconds=0.05, poll_seconds=0.01)


@pytest.mark.parametrize(
    ("namespaces", "expect", "seen"),
    [
        (["empty"], [], "empty has no workload"),
        (["default"], ["default/StatefulSet/prometheus-k8s"], "prometheus-k8s does not exist yet"),
    ],
)
async def test_what_is_not_there_is_not_ready(namespaces: list[str], expect: list[str], seen: str) -> None:
    with pytest.raises(NotReady, match=seen):
        await wait_rolled_out(
            FakeWorkloads(rollout_list=(DONE,)),
            namespaces,
            expect=expect,
            deadline_seconds=0.05,
            poll_seconds=0.01,
        )


async def test_an_api_server_that_never_answers_is_the_cause() -> None:
    with pytest.raises(NotReady) as raised:
        await wait_rolled_out(
            FakeWorkloads(broken=frozenset({"rollouts"})),
            ["default"],
            deadline_seconds=0.05,
            poll_seconds=0.01,
        )
    assert raised.value.seen == "403: forbidden"


async def test_what_is_not_done_may_be_helped_along_at_each_look() -> None:
    helped: list[Rollout] = []

    async def help_along(waiting: Rollout) -> None:
        helped.append(waiting)

    await wait_rolled_out(Slow(), ["default"], deadline_seconds=5, poll_seconds=0.01, help_along=help_along)
    assert helped == [WAITING, WAITING]
