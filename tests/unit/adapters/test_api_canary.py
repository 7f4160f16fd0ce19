"""A canary's objects through the API server: what is sent, and what is said of pods that are not well."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import pytest

from sluice.adapters.kubernetes.canary import ApiCanary
from sluice.errors import ClusterError, NotReady

pytestmark = pytest.mark.anyio

APPS, CORE = "/apis/apps/v1/namespaces/shop", "/api/v1/namespaces/shop"
DEPLOYMENT, PODS = f"{APPS}/deployments/api-canary", f"{CORE}/pods"
SELECTOR = "app.kubernetes.io/name=api,track=canary"
STATUS = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
Answer = httpx.Response | Callable[[httpx.Request], httpx.Response]


@dataclass
class FakeApi:
    """An API server that answers by path, and 404 elsewhere; several answers come one after the other."""

    answers: dict[str, Any] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        found = self.answers.get(request.url.path)
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, tuple):
            return httpx.Response(found[0], json=found[1])
        if isinstance(found, str):
            return httpx.Response(200, text=found)
        status = {"kind": "Status", "apiVersion": "v1", "message": "not found"}
        return httpx.Response(200, json=found) if found is not None else httpx.Response(404, json=status)

    def sent(self, method: str) -> list[httpx.Request]:
        """The requests of a method."""
        return [one for one in self.requests if one.method == method]


def canary(api: FakeApi) -> ApiCanary:
    client = httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(api))
    return ApiCanary(client, "shop", poll_seconds=0)


def deployment(**status: int) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": "api-canary", "generation": 1}, "status": {**STATUS, **status}}


def pod(*, ready: bool = True, ending: bool = False, **container: Any) -> dict[str, Any]:
    state = {"name": "api", "ready": ready, "restartCount": 0, "state": {"running": {}}, **container}
    metadata = {"namespace": "shop", "name": "api-canary-7d9-x"} | ({"deletionTimestamp": "now"} if ending else {})
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "metadata": metadata,
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [state]},
    }


def items(*pods: Mapping[str, Any]) -> dict[str, Any]:
    return {"items": list(pods), "metadata": {}}


CRASHED = pod(
    ready=False,
    restartCount=1,
    state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
    lastState={"terminated": {"reason": "Error", "exitCode": 3}},
)


UNPULLED = pod(ready=False, state={"waiting": {"reason": "ErrImagePull", "message": "not found"}})


async def test_objects_are_applied_as_they_are_given_by_server_side_apply() -> None:
    api = FakeApi({f"{CORE}/configmaps/api-canary": {}, DEPLOYMENT: {}})
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "api-canary"}}
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api-canary"}}
    await canary(api).apply([config, made])
    assert [one.url.path for one in api.sent("PATCH")] == [f"{CORE}/configmaps/api-canary", DEPLOYMENT]
    for sent, given in zip(api.requests, (config, made), strict=True):
        assert sent.headers["Content-Type"] == "application/apply-patch+yaml"
        assert dict(sent.url.params) == {"fieldManager": "sluice", "force": "true"}
        assert json.loads(sent.content) == given


async def test_a_refusal_says_what_was_asked() -> None:
    api = FakeApi({DEPLOYMENT: (403, {"kind": "Status", "apiVersion": "v1", "message": "quota exceeded"})})
    with pytest.raises(ClusterError, match="quota exceeded") as raised:
        await canary(api).apply([{"kind": "Deployment", "metadata": {"name": "api-canary"}}])
    assert raised.value.failed == "the API server refused Deployment shop/api-canary"


async def test_the_stable_pods_are_those_available_of_the_services_own_deployment() -> None:
    api = FakeApi({f"{APPS}/deployments/api": deployment(availableReplicas=3)})
    assert await canary(api).stable_pods("api") == 3
    assert await canary(FakeApi()).stable_pods("api") == 0


async def test_it_is_ready_when_all_its_pods_of_the_new_kind_are_available() -> None:
    young = deployment()
    young["metadata"]["generation"] = 2
    waiting = [
        (503, {"kind": "Status", "apiVersion": "v1", "message": "etcdserver: leader changed"}),
        young,
        deployment(availableReplicas=1),
        deployment(availableReplicas=2, replicas=3, updatedReplicas=2),
        deployment(availableReplicas=2, replicas=2, updatedReplicas=2),
    ]
    api = FakeApi({DEPLOYMENT: waiting, PODS: items(pod(ready=False))})
    await canary(api).wait_ready("api", replicas=2, deadline_seconds=30)
    assert sum(one.url.path == DEPLOYMENT for one in api.requests) == 5


@pytest.mark.parametrize(
    ("found", "words"),
    [(CRASHED, "CrashLoopBackOff: back-off 10s"), (UNPULLED, "ErrImagePull: not found")],
)
async def test_a_pod_that_will_not_get_on_ends_the_waiting_with_its_last_words(
    found: dict[str, Any], words: str
) -> None:
    log = {f"{PODS}/api-canary-7d9-x/log": "KeyError: 'DSN'\n", f"{CORE}/events": items()}
    api = FakeApi({DEPLOYMENT: deployment(availableReplicas=0), PODS: items(found)} | log)
    with anyio.fail_after(20), pytest.raises(NotReady) as raised:
        await canary(api).wait_ready("api", replicas=1, deadline_seconds=3600)
    assert raised.value.failed == "the canary of api will not become ready"
    assert words in raised.value.seen
    assert "| KeyError: 'DSN'" in raised.value.seen
    assert raised.value.next_command == f"kubectl -n shop describe pods -l {SELECTOR}"


async def test_at_the_deadline_the_last_cause_is_told() -> None:
    pending = pod(ready=False)
    pending["status"] |= {"phase": "Pending", "message": "0/1 nodes are available: insufficient cpu"}
    api = FakeApi({DEPLOYMENT: deployment(availableReplicas=0), PODS: items(pending)})
    with pytest.raises(NotReady) as raised:
        await canary(api).wait_ready("api", replicas=2, deadline_seconds=0.05)
    said = "0 of 2 pods are available; api-canary-7d9-x is Pending: 0/1 nodes are available: insufficient cpu"
    assert raised.value.seen == said


async def test_pods_that_are_well_are_no_trouble_and_those_that_end_are_not_looked_at() -> None:
    api = FakeApi({PODS: items(pod(), pod(ready=False, ending=True))})
    assert await canary(api).trouble("api") == ""
    assert dict(api.requests[0].url.params)["labelSelector"] == SELECTOR


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        (items(pod(ready=False)), "it runs, its readiness or startup probe does not pass"),
        (items(), "api-canary has no pods any more"),
        (
            # It came back, and looks well; what it said before it ended is told.
            items(pod(restartCount=1, lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}})),
            "container api was started again: OOMKilled, exit code 137\n            | the end",
        ),
    ],
)
async def test_what_is_not_well_is_told(pods: dict[str, Any], words: str) -> None:
    api = FakeApi({PODS: pods, f"{CORE}/events": items(), f"{PODS}/api-canary-7d9-x/log": "the end\n"})
    assert words in await canary(api).trouble("api")


@pytest.mark.parametrize(
    ("deployments", "pods"),
    [
        ([deployment(), (404, {})], [items(pod()), items(pod()), items(pod(ending=True))]),
        ([deployment(), deployment(), (404, {})], [items(pod()), items()]),
    ],
)
async def test_everything_of_it_is_taken_away_and_nothing_else(deployments: list[Any], pods: list[Any]) -> None:
    collections: dict[str, Any] = {f"{APPS}/deployments": {}, f"{CORE}/configmaps": {}}
    api = FakeApi(collections | {DEPLOYMENT: deployments, PODS: pods})
    await canary(api).remove("api", deadline_seconds=30)
    deleted = api.sent("DELETE")
    assert [one.url.path for one in deleted] == list(collections)
    for one in deleted:
        assert dict(one.url.params) == {"labelSelector": SELECTOR, "propagationPolicy": "Background"}
    assert len(api.sent("GET")) == 6, "until the Deployment is gone, and its pods are ending"


async def test_what_does_not_go_away_is_told_at_the_deadline() -> None:
    api = FakeApi({f"{APPS}/deployments": {}, f"{CORE}/configmaps": {}, PODS: items(pod())})
    with pytest.raises(NotReady) as raised:
        await canary(api).remove("api", deadline_seconds=0.05)
    assert raised.value.seen == "api-canary-7d9-x"
    assert raised.value.next_command == "kubectl -n shop delete deployment api-canary"
