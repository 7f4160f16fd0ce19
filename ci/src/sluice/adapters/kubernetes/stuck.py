"""Pods that stand in the way of their StatefulSet's next revision.

It replaces a pod only once that is ready, and one that was broken never is: who mended the template would wait for
nothing, or for a back-off of five minutes. Such pods are to be deleted by whoever mended it:
https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from sluice.adapters.kubernetes import objects
from sluice.adapters.kubernetes.asking import asked
from sluice.ports import Rollout

_REVISION = "controller-revision-hash"  # the label that a StatefulSet's controller gives its pods
_NOT_THERE = 404


async def replace_stuck(client: httpx.AsyncClient, waiting: Rollout, say: Callable[[str], None]) -> None:
    """Delete the last pod of a StatefulSet that is of an older revision and not ready; its controller makes it anew.

    What it stored stays in its volume. Whatever has no `revision` is left alone. `say` is told. Raises ClusterError.
    """
    if not waiting.revision:
        return
    space = quote(waiting.namespace)
    pods = f"api/v1/namespaces/{space}/pods"
    selector = quote(waiting.selector, safe="")
    listed = await asked(client, "GET", f"{pods}?labelSelector={selector}", f"the pods of {waiting.name}")
    stuck = [one["metadata"] for one in listed.json()["items"] if _is_stuck(one, waiting.revision)]
    if not stuck:
        return
    # One after the other, and the last first, as the controller would.
    pod = max(stuck, key=lambda one: int(one["name"].rpartition("-")[2]))
    what = f"to remove the pod {pod['name']}"
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": pod["uid"]}}
    gone = await asked(client, "DELETE", f"{pods}/{pod['name']}", what, body=body, besides=_NOT_THERE)
    if gone.status_code != _NOT_THERE:
        say(f"{pod['name']} is of the revision before and not ready: removed, for it would never be replaced")


def _is_stuck(pod: Mapping[str, Any], newest: str) -> bool:
    revision = (pod["metadata"].get("labels") or {}).get(_REVISION, newest)
    state = objects.pod(pod)
    return bool(revision != newest and not state.ready and state.phase != "Terminating")
