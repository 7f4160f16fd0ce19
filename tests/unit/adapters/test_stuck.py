"""A pod that its StatefulSet would never replace is removed; every other is left alone."""

from dataclasses import replace
from typing import Any

import anyio
import httpx
import pytest

from sluice.adapters.kubernetes.stuck import replace_stuck
from sluice.errors import ClusterError
from sluice.ports import Rollout

OLD, NEW = "loki-1", "loki-2"
LOKI = Rollout("logging", "StatefulSet", "loki", False, "0 of 1 pods are ready", "app=loki,of in (a,b)", NEW)


def pod(number: int, revision: str, *, ready: bool = False, leaving: bool = False) -> dict[str, Any]:
    about = {
        "namespace": "logging",
        "name": f"loki-{number}",
        "uid": f"uid-{number}",
        "labels": {"controller-revision-hash": revision},
    }
    about |= {"deletionTimestamp": "2026-11-27T11:00:00Z"} if leaving else {}
    return {"metadata": about, "status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}


def removed(pods: list[dict[str, Any]], *, of: Rollout = LOKI, status: int = 200) -> tuple[list[str], list[str]]:
    """Let it look once; which pods were removed, by name and uid, and what was said."""
    gone: list[str] = []
    said: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "DELETE":
            gone.append(f"{path.rpartition('/')[2]} {request.read().decode().partition('uid-')[2][:1]}")
            return httpx.Response(status, json={})
        assert (path, request.url.params["labelSelector"]) == ("/api/v1/namespaces/logging/pods", LOKI.selector)
        return httpx.Response(200, json={"items": pods})

    async def work() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://cluster") as client:
            await replace_stuck(client, of, said.append)

    anyio.run(work)
    return gone, said


def test_a_pod_of_the_revision_before_that_is_not_ready_is_removed_and_told() -> None:
    gone, said = removed([pod(0, OLD)])
    assert gone == ["loki-0 0"], "with its uid: the pod that comes after it has the same name"
    assert said == ["loki-0 is of the revision before and not ready: removed, for it would never be replaced"]


def test_of_several_the_last_goes_first_and_one_at_a_time() -> None:
    assert removed([pod(2, OLD), pod(10, OLD), pod(11, NEW)])[0] == ["loki-10 1"]


@pytest.mark.parametrize(
    "found",
    [[], [pod(0, NEW)], [pod(0, OLD, ready=True)], [pod(0, OLD, leaving=True)]],
    ids=["none", "new", "ready", "leaving"],
)
def test_what_is_replaced_anyway_or_only_starts_is_left_alone(found: list[dict[str, Any]]) -> None:
    assert removed(found) == ([], [])


def test_where_pods_are_not_replaced_by_a_controller_nothing_is_removed() -> None:
    assert removed([pod(0, OLD)], of=replace(LOKI, revision="")) == ([], [])


def test_one_that_went_by_itself_is_not_told_and_a_refusal_is_raised() -> None:
    assert removed([pod(0, OLD)], status=404) == (["loki-0 0"], [])
    with pytest.raises(ClusterError, match="loki-0"):
        removed([pod(0, OLD)], status=403)
