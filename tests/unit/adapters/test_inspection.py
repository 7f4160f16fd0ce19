"""A closer look at a cluster: a pod described without its environment, sidecars' words, secrets' values, its age."""

import base64
import json
from typing import Any

import httpx
import pytest

from sluice.adapters.kubernetes import objects
from sluice.adapters.kubernetes.inspection import describe, sidecar_port
from sluice.adapters.kubernetes.workloads import ApiWorkloads
from sluice.errors import ClusterError
from sluice.ports import Sidecar

pytestmark = pytest.mark.anyio

POD: dict[str, Any] = {
    "metadata": {
        "namespace": "default",
        "name": "backend-1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "backend-7f"}],
    },
    "spec": {
        "nodeName": "node",
        "initContainers": [
            {
                "name": "daprd",
                "image": "r/daprd@sha256:1",
                "ports": [
                    {"name": "dapr-metrics", "containerPort": 9090},
                    {"name": "dapr-health", "containerPort": 3501},
                ],
            }
        ],
        "containers": [
            {
                "name": "backend",
                "image": "r/backend@sha256:2",
                "env": [{"name": "KEY", "value": "never told"}],
                "resources": {"limits": {"memory": "256Mi"}},
                "readinessProbe": {"httpGet": {"path": "/readyz"}},
            }
        ],
        "volumes": [{"name": "keys", "secret": {"secretName": "user-tokens"}}, {"name": "tmp", "emptyDir": {}}],
    },
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastProbeTime": None}],
        "containerStatuses": [
            {"name": "backend", "ready": False, "restartCount": 2, "lastState": {"terminated": {"reason": "OOMKilled"}}}
        ],
    },
}
METADATA = {
    "id": "backend",
    "runtimeVersion": "1.16.0",
    "components": [{"name": "pubsub", "type": "pubsub.kafka", "version": "v1"}],
    "subscriptions": [
        {"pubsubname": "pubsub", "topic": "tasks", "rules": [{"path": "/events/tasks"}], "deadLetterTopic": ""},
        {"pubsubname": "pubsub", "topic": "old", "rules": {"rules": [{"path": "/a"}]}, "deadLetterTopic": "dead"},
    ],
}


def cluster(answers: dict[str, Any]) -> ApiWorkloads:
    def handler(request: httpx.Request) -> httpx.Response:
        answer = answers.get(request.url.path)
        if isinstance(answer, httpx.Response):
            return answer
        if answer is None:
            return httpx.Response(404, json={"kind": "Status", "apiVersion": "v1", "message": "not found"})
        return httpx.Response(200, json=answer)

    return ApiWorkloads(httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(handler)))


async def test_a_pod_is_described_by_what_tells_and_without_its_environment() -> None:
    text = await cluster({"/api/v1/namespaces/default/pods/backend-1": POD}).describe("default", "backend-1")
    for said in (
        "pod: default/backend-1",
        "- ReplicaSet/backend-7f",
        "reason: ContainersNotReady",
        "reason: OOMKilled",
        "memory: 256Mi",
        "path: /readyz",
        "- 'keys: secret user-tokens'",
    ):
        assert said in text
    assert "never told" not in text
    assert "null" not in text


def test_a_pod_that_says_little_is_described_too() -> None:
    assert describe({"metadata": {"name": "a"}}).startswith("pod: /a")


async def test_a_pod_that_is_gone_is_an_error() -> None:
    with pytest.raises(ClusterError, match="refused pod backend-1"):
        await cluster({}).describe("default", "backend-1")


async def test_sidecars_tell_their_components_and_subscriptions() -> None:
    found = await cluster(
        {
            "/api/v1/namespaces/default/pods": {"items": [POD, {"metadata": {"name": "other"}}]},
            "/api/v1/namespaces/default/pods/http:backend-1:3501/proxy/v1.0/metadata": METADATA,
        }
    ).sidecars("default")
    assert found == (
        Sidecar(
            "backend-1",
            "backend",
            "1.16.0",
            ("pubsub (pubsub.kafka/v1)",),
            ("pubsub/tasks to /events/tasks", "pubsub/old to /a, dead letters to dead"),
        ),
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "refused the way to the pod default/backend-1:3501: 404: not found"),
        (httpx.Response(500, text="broken"), "500: broken"),
        (httpx.Response(200, text="no json"), "JSONDecodeError"),
        ({"components": [5]}, "TypeError"),
        ([], "AttributeError"),
    ],
)
async def test_a_sidecar_that_does_not_say_is_noted(answer: Any, said: str) -> None:
    answers = {
        "/api/v1/namespaces/default/pods": {"items": [POD]},
        "/api/v1/namespaces/default/pods/http:backend-1:3501/proxy/v1.0/metadata": answer,
    }
    [found] = await cluster(answers).sidecars("default")
    assert found.pod == "backend-1"
    assert said in found.error


def test_a_sidecar_without_the_public_port_is_not_asked() -> None:
    assert sidecar_port({"metadata": {}, "spec": {"containers": [{"name": "daprd", "ports": []}]}}) == 0


async def test_a_cluster_is_as_old_as_its_first_namespace() -> None:
    path = "/api/v1/namespaces/kube-system"
    answer = {"metadata": {"creationTimestamp": "1970-01-01T00:01:00Z"}}
    assert await cluster({path: answer}).born() == 60.0


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


async def test_the_values_of_secrets_are_those_that_somebody_put_there() -> None:
    key = json.dumps({"kty": "EC", "d": "the-private-part"})
    data = {"password": encoded(b"long enough\n"), "user": encoded(b"admin"), "bin": encoded(b"\xff\xfe" * 20)}
    items = [
        {"type": "Opaque", "data": {**data, "key.jwk": encoded(key.encode())}},
        {"type": "helm.sh/release.v1", "data": {"release": encoded(b"a whole chart")}},
        {"type": "Opaque"},
    ]
    found = await cluster({"/api/v1/namespaces/default/secrets": {"items": items}}).secret_values("default")
    assert found == ("long enough", key, "the-private-part")


def test_what_is_json_and_no_key_is_a_value_like_any_other() -> None:
    assert list(objects.secret_values({"data": {"a": encoded(b'["a", "b"]'), "b": encoded(b'{"a": 12}')}})) == [
        '["a", "b"]',
        '{"a": 12}',
    ]
