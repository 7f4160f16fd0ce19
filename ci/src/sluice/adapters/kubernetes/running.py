"""Which images the workloads of a cluster are told to run."""

from collections import defaultdict
from collections.abc import Sequence

import httpx

from sluice.adapters.kubernetes.asking import asked

_KINDS = ("deployments", "statefulsets", "daemonsets")
_SECONDS = 30.0


async def running_images(client: httpx.AsyncClient, namespaces: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the references of namespaces' containers, by `namespace/workload/container`, sorted and each once.

    Raises ClusterError where the API server refuses or does not answer.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for namespace in dict.fromkeys(namespaces):
        for kind in _KINDS:
            what = f"the {kind} of {namespace}"
            path = f"/apis/apps/v1/namespaces/{namespace}/{kind}"
            response = await asked(client, "GET", path, what, longest_seconds=_SECONDS)
            for item in response.json()["items"]:
                pod = item["spec"]["template"]["spec"]
                for container in (*(pod.get("initContainers") or ()), *pod["containers"]):
                    name = f"{namespace}/{item['metadata']['name']}/{container['name']}"
                    found[name].add(str(container["image"]))
    return {name: tuple(sorted(references)) for name, references in sorted(found.items())}
