"""running_images: what workloads are told to run, of all their containers."""

from typing import Any

import httpx
import pytest

from sluice.adapters.kubernetes.running import running_images
from sluice.errors import ClusterError

pytestmark = pytest.mark.anyio


def workload(name: str, *images: str, init: tuple[str, ...] = ()) -> dict[str, Any]:
    pod: dict[str, Any] = {"containers": [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]}
    if init:
        pod["initContainers"] = [{"name": "init", "image": image} for image in init]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": pod}}}


async def ask(lists: dict[str, Any], *namespaces: str) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path.removeprefix("/apis/apps/v1/namespaces/"))
        found = lists.get(asked[-1], [])
        return (
            httpx.Response(found, text="no") if isinstance(found, int) else httpx.Response(200, json={"items": found})
        )

    async with httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(answer)) as client:
        return await running_images(client, namespaces), asked


async def test_every_container_of_every_kind_of_workload_is_told() -> None:
    found, _ = await ask(
        {
            "shop/deployments": [
                workload("api", "r/api@1", "r/daprd@1", init=("r/api@1",)),
                workload("x", "r/x@1"),
            ],
            "watch/statefulsets": [workload("prometheus", "r/prometheus@1")],
            "watch/daemonsets": [workload("promtail", "r/promtail@1")],
        },
        "shop",
        "watch",
    )
    assert found == {
        "shop/api/c0": ("r/api@1",),
        "shop/api/c1": ("r/daprd@1",),
        "shop/api/init": ("r/api@1",),
        "shop/x/c0": ("r/x@1",),
        "watch/prometheus/c0": ("r/prometheus@1",),
        "watch/promtail/c0": ("r/promtail@1",),
    }


async def test_workloads_of_one_name_are_told_together_each_reference_once() -> None:
    found, _ = await ask(
        {"a/deployments": [workload("x", "r/x@2")], "a/statefulsets": [workload("x", "r/x@1"), workload("x", "r/x@2")]},
        "a",
    )
    assert found == {"a/x/c0": ("r/x@1", "r/x@2")}


async def test_a_namespace_that_stands_for_several_is_asked_once() -> None:
    found, asked = await ask({}, "a", "a", "b")
    assert found == {}
    kinds = ("deployments", "statefulsets", "daemonsets")
    assert asked == [f"{space}/{kind}" for space in "ab" for kind in kinds]


async def test_a_refusal_is_told_and_is_not_nothing() -> None:
    with pytest.raises(ClusterError, match="refused the statefulsets of a") as caught:
        await ask({"a/statefulsets": 403}, "a")
    assert caught.value.seen.startswith("403")
