"""A canary's objects in a real API server; there are no controllers, so that what they would note is noted here."""

import uuid
from typing import Any

import httpx
import pytest
from tests.unit.promotion.canaries import config, deployment

from sluice.adapters.kubernetes.canary import ApiCanary
from sluice.errors import ClusterError, NotReady
from sluice.promotion.canary import canary_objects

pytestmark = pytest.mark.anyio


@pytest.fixture
async def namespace(api_server: httpx.AsyncClient) -> str:
    """A namespace of the test's own, with a service's stable Deployment and its configuration in it."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    (await api_server.post("/api/v1/namespaces", json={"metadata": {"name": name}})).raise_for_status()
    stable = deployment()
    stable["metadata"]["namespace"] = name
    for path, one in ((f"{apps(name)}", stable), (f"/api/v1/namespaces/{name}/configmaps", config("api"))):
        response = await api_server.post(path, json=one)
        assert response.is_success, response.text
    return name


def apps(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"


async def read(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    response = await client.get(path)
    response.raise_for_status()
    found: dict[str, Any] = response.json()
    return found


async def note(client: httpx.AsyncClient, path: str, pods: int) -> None:
    """What the Deployment's controller would write."""
    generation = (await read(client, path))["metadata"]["generation"]
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), pods)
    status = {"status": {**counts, "observedGeneration": generation}}
    headers = {"Content-Type": "application/merge-patch+json"}
    (await client.patch(f"{path}/status", json=status, headers=headers)).raise_for_status()


async def test_it_is_put_there_grows_and_goes_without_a_change_to_the_stable_one(
    api_server: httpx.AsyncClient, namespace: str
) -> None:
    canary, path = ApiCanary(api_server, namespace, poll_seconds=0.05), apps(namespace)
    await note(api_server, f"{path}/api", 4)
    before = await read(api_server, f"{path}/api")
    assert await canary.stable_pods("api") == 4
    for replicas in (1, 4):
        await canary.apply(canary_objects("api", deployment(), [config("api")], namespace=namespace, replicas=replicas))
        made = await read(api_server, f"{path}/api-canary")
        assert made["spec"]["replicas"] == replicas
        with pytest.raises(NotReady, match="its controller has not seen the change yet"):
            await canary.wait_ready("api", replicas=replicas, deadline_seconds=0.5)
        await note(api_server, f"{path}/api-canary", replicas)
        await canary.wait_ready("api", replicas=replicas, deadline_seconds=30)
    assert made["spec"]["selector"]["matchLabels"]["track"] == "canary"
    await canary.remove("api", deadline_seconds=30)
    left = await read(api_server, path)
    assert [one["metadata"]["name"] for one in left["items"]] == ["api"]
    kept = await read(api_server, f"/api/v1/namespaces/{namespace}/configmaps")
    assert "api" in {one["metadata"]["name"] for one in kept["items"]}
    assert "api-canary" not in {one["metadata"]["name"] for one in kept["items"]}
    assert await read(api_server, f"{path}/api") == before
    await canary.remove("api", deadline_seconds=30)  # where there is none, too


async def test_what_somebody_changed_is_put_right(api_server: httpx.AsyncClient, namespace: str) -> None:
    """A run that was killed, or a person, left one with another field manager."""
    canary = ApiCanary(api_server, namespace)
    made = canary_objects("api", deployment(), (), namespace=namespace, replicas=2)
    await canary.apply(made)
    headers = {"Content-Type": "application/merge-patch+json"}
    path = f"{apps(namespace)}/api-canary"
    (await api_server.patch(path, json={"spec": {"replicas": 9}}, headers=headers)).raise_for_status()
    await canary.apply(made)
    assert (await read(api_server, path))["spec"]["replicas"] == 2


async def test_what_the_api_server_does_not_take_is_told(api_server: httpx.AsyncClient, namespace: str) -> None:
    *_, made = canary_objects("api", deployment(), (), namespace=namespace, replicas=1)
    made["spec"]["template"]["spec"]["containers"][0]["image"] = ""
    with pytest.raises(ClusterError, match="image: Required value"):
        await ApiCanary(api_server, namespace).apply([made])
