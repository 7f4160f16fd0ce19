"""pull_images: a pod of all images, waited for until each is there, and removed."""

import json
from typing import Any

import httpx
import pytest

from sluice.adapters.kubernetes.pulling import pull_images
from sluice.errors import ClusterError, NotReady

pytestmark = pytest.mark.anyio
IMAGES = ("r/backend@sha256:1", "r/daprd@sha256:2")


class Api:
    """An API server with at most one pod, whose statuses come in turn; the last one stays."""

    def __init__(self, *statuses: list[dict[str, Any]], lasts: int = 0, refuses: bool = False) -> None:
        self.statuses, self.lasts, self.refuses = list(statuses), lasts, refuses
        self.pod: dict[str, Any] | None = None
        self.log: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            if self.refuses:
                return httpx.Response(403, json={"message": "forbidden"})
            there = self.pod is not None
            self.pod = self.pod or json.loads(request.content)
            self.log += [] if there else ["made"]
            return httpx.Response(409 if there else 201, json={})
        if request.method == "DELETE":
            self.log.append("removed")
            here = {"containerStatuses": HERE}  # of the pod that leaves
            self.pod = {"metadata": {"deletionTimestamp": "now"}, "status": here} if self.lasts else None
            return httpx.Response(200 if self.pod else 404, json={})
        if self.pod and "deletionTimestamp" in self.pod["metadata"]:
            self.lasts -= 1
            leaving, self.pod = self.pod, self.pod if self.lasts else None
            return httpx.Response(200, json=leaving)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return httpx.Response(200, json={**(self.pod or {}), "status": {"containerStatuses": status}})

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(self))


HERE: list[dict[str, Any]] = [{"name": f"image-{number}", "imageID": "x"} for number in range(2)]
HALF: list[dict[str, Any]] = [
    HERE[0],
    {"name": "image-1", "imageID": "", "state": {"waiting": {"message": "no route to the registry"}}},
]


async def test_it_waits_for_every_image_and_leaves_no_pod() -> None:
    api = Api([], HALF, HERE)
    await pull_images(api.client(), "shop", IMAGES, deadline_seconds=5)
    assert api.log == ["removed", "made", "removed"]
    assert api.pod is None


async def test_a_pod_that_a_killed_run_left_is_no_answer() -> None:
    api = Api(HERE, lasts=2)
    api.pod = {"metadata": {}, "spec": {"containers": []}}
    await pull_images(api.client(), "shop", IMAGES, deadline_seconds=5)
    assert api.log[:2] == ["removed", "made"]


async def test_at_the_deadline_it_tells_which_is_missing_and_why() -> None:
    with pytest.raises(NotReady) as caught:
        await pull_images(Api(HALF).client(), "shop", IMAGES, deadline_seconds=0.1)
    assert caught.value.seen == "r/daprd@sha256:2: no route to the registry"


async def test_what_is_refused_is_said_at_once() -> None:
    with pytest.raises(ClusterError, match="refused the pod"):
        await pull_images(Api(HERE, refuses=True).client(), "shop", IMAGES, deadline_seconds=5)


async def test_every_image_is_in_the_pod_and_may_do_nothing() -> None:
    api = Api(HALF)
    with pytest.raises(NotReady):
        await pull_images(api.client(), "shop", IMAGES, deadline_seconds=0.1)
    assert api.pod
    containers = api.pod["spec"]["containers"]
    assert [one["image"] for one in containers] == list(IMAGES)
    assert all(one["securityContext"]["runAsNonRoot"] for one in containers)
    assert api.pod["spec"]["automountServiceAccountToken"] is False
