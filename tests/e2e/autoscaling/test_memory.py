"""metrics-server answers, and the whole system's memory stands in the evidence, pod by pod, and within its bound."""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest
from tests.e2e.autoscaling.metrics_api import assert_answers
from tests.e2e.kube import Kube
from tests.e2e.support import eventually

from sluice.readiness.checks.capacity import quantity
from sluice.steps.run_suites import SuiteContext

# First: the system itself is measured, without what drills and load add to it.
pytestmark = [pytest.mark.anyio, pytest.mark.first, pytest.mark.smoke]

BOUND_BYTES = int(2.5 * 1024**3)
# metrics-server knows a pod after two of its rounds, which are 15 s apart.
KNOWN_WITHIN = 60.0


@dataclass(frozen=True)
class Pod:
    """A pod's memory (working set) in bytes, by container."""

    namespace: str
    name: str
    app: str
    containers: dict[str, int]
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bytes", sum(self.containers.values()))


async def test_the_memory_of_every_pod_is_told_and_the_system_stays_within_its_bound(
    kube: Kube, context: SuiteContext
) -> None:
    async def measured() -> list[Pod]:
        await assert_answers(kube)
        running = {
            (pod["metadata"]["namespace"], pod["metadata"]["name"]): pod["metadata"].get("labels", {})
            for pod in (await kube.get("api/v1/pods"))["items"]
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        }
        told = {
            (item["metadata"]["namespace"], item["metadata"]["name"]): item["containers"]
            for item in (await kube.get("apis/metrics.k8s.io/v1beta1/pods"))["items"]
        }
        missing = sorted(set(running) - set(told))
        assert not missing, f"metrics-server does not know {missing}"
        return [
            Pod(
                *key,
                labels.get("app.kubernetes.io/name") or labels.get("k8s-app") or labels.get("component", ""),
                {one["name"]: int(quantity(one["usage"]["memory"])) for one in told[key]},
            )
            for key, labels in sorted(running.items())
        ]

    pods = await eventually(measured, within=KNOWN_WITHIN, every=1)
    left_out = {context.prometheus.name, context.loki.name}
    assert left_out <= {pod.app for pod in pods}, f"{left_out} are not among {sorted({pod.app for pod in pods})}"
    counted = sum(pod.bytes for pod in pods if pod.app not in left_out)
    write(Path(context.evidence_dir), pods, counted, left_out)
    assert counted <= BOUND_BYTES, f"{mebibytes(counted)} MiB without {sorted(left_out)}; see memory.md"


def write(folder: Path, pods: list[Pod], counted: int, left_out: Iterable[str]) -> None:
    """Put memory.json and memory.md into the evidence, the largest pod first."""
    pods = sorted(pods, key=lambda pod: -pod.bytes)
    everything = sum(pod.bytes for pod in pods)
    found = {
        "at": time.time(),
        "bound_bytes": BOUND_BYTES,
        "counted_bytes": counted,
        "not_counted": sorted(left_out),
        "all_bytes": everything,
        "pods": [asdict(pod) for pod in pods],
    }
    (folder / "memory.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    lines = ["| namespace | pod | MiB | by container |", "| --- | --- | ---: | --- |"]
    for pod in pods:
        each = ", ".join(f"{name} {mebibytes(size)}" for name, size in sorted(pod.containers.items()))
        lines.append(f"| {pod.namespace} | {pod.name} | {mebibytes(pod.bytes)} | {each} |")
    lines.append(f"| | all | {mebibytes(everything)} | |")
    bound = f"at most {mebibytes(BOUND_BYTES)}"
    lines.append(f"| | without {' and '.join(sorted(left_out))} | {mebibytes(counted)} | {bound} |")
    (folder / "memory.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def mebibytes(size: int) -> str:
    """A size in MiB."""
    return f"{size / 2**20:.0f}"
