"""Reads of the Kubernetes API: lists in pages, logs that keep their end, the rules of a rollout."""

from typing import Any

import httpx
import pytest

from sluice.adapters.kubernetes import objects
from sluice.adapters.kubernetes.workloads import ApiWorkloads
from sluice.errors import ClusterError

pytestmark = pytest.mark.anyio

POD = {
    "metadata": {"namespace": "default", "name": "backend-1"},
    "spec": {"nodeName": "node"},
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False"}, {"type": "PodScheduled", "status": "True"}],
        "initContainerStatuses": [
            {
                "name": "migrate",
                "ready": True,
                "state": {"terminated": {"reason": "Completed", "exitCode": 0}},
            }
        ],
        "containerStatuses": [
            {
                "name": "backend",
                "ready": False,
                "restartCount": 2,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}},
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
            }
        ],
    },
}


def workloads(handler: Any) -> ApiWorkloads:
    return ApiWorkloads(httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(handler)))


async def test_a_pod_says_what_each_container_does_and_how_it_ended_before() -> None:
    pod = objects.pod(POD)
    assert (pod.namespace, pod.name, pod.phase, pod.ready, pod.node) == (
        "default",
        "backend-1",
        "Running",
        False,
        "node",
    )
    init, main = pod.containers
    assert (init.init, init.state, init.exit_code) == (True, "terminated", 0)
    assert (main.state, main.reason, main.restarts) == ("waiting", "CrashLoopBackOff", 2)
    assert main.last_exit == "OOMKilled, exit code 137"


async def test_a_pod_without_a_status_yet_and_one_that_fits_no_node() -> None:
    fresh = objects.pod({"metadata": {"namespace": "a", "name": "b"}})
    assert (fresh.phase, fresh.ready, fresh.containers) == ("Unknown", False, ())
    condition = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: insufficient cpu"}
    status = {"phase": "Pending", "conditions": [condition]}
    pending = objects.pod({"metadata": {"namespace": "a", "name": "b"}, "status": status})
    assert pending.message == "0/1 nodes: insufficient cpu"


async def test_lists_are_read_to_their_last_page() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v1/namespaces/default/pods"
        assert request.url.params["labelSelector"] == "app=backend"
        if "continue" in request.url.params:
            return httpx.Response(200, json={"items": [POD], "metadata": {}})
        return httpx.Response(200, json={"items": [POD], "metadata": {"continue": "more"}})

    assert len(await workloads(answer).pods("default", selector="app=backend")) == 2


async def test_events_come_oldest_first_whichever_way_they_keep_their_time() -> None:
    items = [
        {
            "metadata": {"namespace": "default"},
            "eventTime": "2031-01-01T00:00:02.500000Z",
            "involvedObject": {"kind": "Pod", "name": "b", "namespace": "default"},
            "type": "Warning",
            "reason": "Late",
            "series": {"count": 3, "lastObservedTime": "2031-01-01T00:00:09.000000Z"},
        },
        {
            "metadata": {"namespace": "default", "creationTimestamp": "2031-01-01T00:00:00Z"},
            "lastTimestamp": "2031-01-01T00:00:01Z",
            "involvedObject": {"kind": "Pod", "name": "a", "namespace": "default"},
            "type": "Normal",
            "reason": "Early",
            "message": "m",
            "count": 2,
        },
    ]
    events = await workloads(lambda _: httpx.Response(200, json={"items": items})).events("default")
    assert [(event.reason, event.warning, event.count) for event in events] == [
        ("Early", False, 2),
        ("Late", True, 3),
    ]
    assert events[1].at - events[0].at == 8.0


async def test_a_refusal_says_what_was_asked_and_why() -> None:
    status = {"kind": "Status", "apiVersion": "v1", "message": "pods is forbidden"}
    with pytest.raises(ClusterError) as raised:
        await workloads(lambda _: httpx.Response(403, json=status)).pods("default")
    assert raised.value.failed == "the API server refused pods of default"
    assert raised.value.seen.startswith("403: pods is forbidden")


async def test_a_log_keeps_its_end_and_says_how_much_it_lost() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert dict(request.url.params) == {"container": "backend", "tailLines": "50", "previous": "true"}
        return httpx.Response(200, content=b"x" * 100 + b"the end \xff\n")

    tail = await workloads(answer).logs("default", "p", "backend", previous=True, tail_lines=50, max_bytes=10)
    assert (tail.text, tail.cut_bytes) == ("the end \ufffd\n", 100)


async def test_a_log_that_is_not_there_is_refused() -> None:
    status = {"kind": "Status", "apiVersion": "v1", "message": "previous terminated container not found"}
    with pytest.raises(ClusterError, match="previous terminated container not found"):
        await workloads(lambda _: httpx.Response(400, json=status)).logs(
            "default", "p", "c", previous=True, tail_lines=1, max_bytes=1
        )


@pytest.mark.parametrize(
    ("kind", "spec", "status", "done"),
    [
        ("deployment", {"replicas": 2}, {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, True),
        ("deployment", {"replicas": 2}, {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}, False),
        ("deployment", {"replicas": 2}, {"replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}, False),
        ("deployment", {"replicas": 2}, {"replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}, False),
        ("deployment", {}, {}, False),
        ("deployment", {"replicas": 0}, {}, True),
        (
            "statefulset",
            {"replicas": 1},
            {"readyReplicas": 1, "updateRevision": "a", "currentRevision": "a"},
            True,
        ),
        (
            "statefulset",
            {"replicas": 1},
            {"readyReplicas": 1, "updateRevision": "b", "currentRevision": "a"},
            False,
        ),
        ("statefulset", {"replicas": 1}, {"readyReplicas": 0}, False),
        (
            "daemonset",
            {},
            {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2},
            True,
        ),
        (
            "daemonset",
            {},
            {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1},
            False,
        ),
    ],
)
async def test_a_rollout_is_done_by_the_rules_of_kubectl(
    kind: str, spec: dict[str, Any], status: dict[str, Any], done: bool
) -> None:
    metadata = {"namespace": "default", "name": "x", "generation": 4}
    seen = objects.rollout(kind, {"metadata": metadata, "spec": spec, "status": {"observedGeneration": 4, **status}})
    assert seen.done is done, seen.detail
    unseen = objects.rollout(kind, {"metadata": metadata, "spec": spec, "status": {"observedGeneration": 3, **status}})
    assert unseen.done is False


@pytest.mark.parametrize(
    ("status", "done", "detail"),
    [
        ({}, False, "0 of 1 pods have succeeded"),
        ({"active": 1, "failed": 2}, False, "0 of 1 pods have succeeded, 2 failed"),
        ({"succeeded": 1}, False, "1 of 1 pods have succeeded"),
        (
            {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]},
            True,
            "1 of 1 pods have succeeded",
        ),
        (
            {"failed": 5, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]},
            False,
            "0 of 1 pods have succeeded, 5 failed; given up: BackoffLimitExceeded",
        ),
    ],
)
async def test_a_job_is_done_when_it_says_so(status: dict[str, Any], done: bool, detail: str) -> None:
    metadata = {"namespace": "default", "name": "x", "generation": 1}
    seen = objects.rollout("job", {"metadata": metadata, "spec": {}, "status": status})
    assert (seen.kind, seen.done, seen.detail) == ("Job", done, detail)


async def test_jobs_are_read_beside_what_rolls_out() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"items": []})

    await workloads(answer).rollouts("default")
    apps = [f"/apis/apps/v1/namespaces/default/{kind}" for kind in ("deployments", "statefulsets", "daemonsets")]
    assert asked == [*apps, "/apis/batch/v1/namespaces/default/jobs"]


@pytest.mark.parametrize(
    ("kind", "generation", "strategy", "revision"),
    [
        ("statefulset", 4, {}, "b"),
        ("statefulset", 4, {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}, "b"),
        ("statefulset", 5, {}, ""),
        ("statefulset", 4, {"type": "OnDelete"}, ""),
        ("statefulset", 4, {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}, ""),
        ("deployment", 4, {}, ""),
    ],
    ids=["default", "rolling", "unseen", "on-delete", "partition", "deployment"],
)
def test_a_rollouts_revision_is_what_a_controller_makes_every_pod(
    kind: str, generation: int, strategy: dict[str, Any], revision: str
) -> None:
    item = {
        "metadata": {"namespace": "default", "name": "x", "generation": generation},
        "spec": {"updateStrategy": strategy},
        "status": {"observedGeneration": 4, "updateRevision": "b", "currentRevision": "b"},
    }
    assert objects.rollout(kind, item).revision == revision


async def test_a_rollouts_selector_finds_its_pods() -> None:
    selector = {
        "matchLabels": {"app": "x"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "DoesNotExist"},
        ],
    }
    item = {"metadata": {"namespace": "default", "name": "x"}, "spec": {"selector": selector}}
    assert objects.rollout("deployment", item).selector == "app=x,tier in (a,b),!old"
