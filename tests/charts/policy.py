"""What a workload of ours may and may not do, and the exceptions, each with its reason."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .rendering import Manifest

EXCEPTIONS: Mapping[tuple[str, str], str] = {
    ("promtail", "non-root"): "only root may write its positions' folder, made by the kubelet; no capability",
    ("promtail", "host paths"): "reads /var/log/pods, keeps its positions beside it",
    ("promtail", "token"): "asks the API server for the pods' labels",
    ("alloy", "non-root"): "as promtail, which it takes the place of",
    ("alloy", "host paths"): "as promtail",
    ("alloy", "token"): "as promtail",
    ("node-exporter", "host network"): "counts the node's own network interfaces",
    ("node-exporter", "host paths"): "reads the node's /proc, /sys and mounts, all read-only",
    ("prometheus-operator", "token"): "its work is with the API server",
    ("kube-state-metrics", "token"): "its work is with the API server",
    ("metrics-server", "token"): "asks the API server for nodes and pods, and who calls; shows the token to kubelets",
    ("prometheus-adapter", "token"): "asks the API server which pods a selector means, and who calls",
    ("prometheus", "token"): "finds its targets through the API server, and shows the token to kubelets",
}
# The same for fixtures, by their folder: they are of the suites' cluster only.
FIXTURE_EXCEPTIONS: Mapping[tuple[str, str], str] = {
    ("alert-receivers", "entrypoint"): "a script of ours in a service's image, for the Python that is in it",
    ("faults", "entrypoint"): "a script of ours in a service's image, for the Python that is in it",
    ("mirror", "entrypoint"): "upstream's image is the broker's, whose entry point would start a broker",
}
# What a container runs where it is not its image's entry point, by its name.
COMMANDS: Mapping[str, list[str]] = {
    "daprd": ["/daprd"],  # upstream's image has no entry point, ours from source has
}
BY_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
IMAGE_ARGUMENT = re.compile(r"--prometheus-config-reloader=(?P<image>.*)")
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


@dataclass(frozen=True)
class Workload:
    """What the rules look at, whether it is a Deployment's template or a custom resource of the operator."""

    name: str
    labels: Mapping[str, str]
    pod: Mapping[str, Any]
    containers: tuple[Mapping[str, Any], ...]
    init_containers: tuple[Mapping[str, Any], ...]

    @property
    def lasting(self) -> tuple[Mapping[str, Any], ...]:
        """The containers that run as long as the pod does: native sidecars are init containers that go on."""
        sidecars = (each for each in self.init_containers if each.get("restartPolicy") == "Always")
        return (*self.containers, *sidecars)


def workloads(manifests: list[Manifest]) -> Iterator[Workload]:
    """Everything among the manifests that becomes pods."""
    for manifest in manifests:
        name, spec = manifest["metadata"]["name"], manifest.get("spec", {})
        if manifest["kind"] in {"Prometheus", "Alertmanager"}:
            yield _operated(manifest["kind"].lower(), spec)
        elif manifest["kind"] == "Pod":
            yield _plain(name, manifest)
        elif "template" in spec:
            yield _plain(name, spec["template"])
        elif "jobTemplate" in spec:
            yield _plain(name, spec["jobTemplate"]["spec"]["template"])


def _plain(name: str, template: Mapping[str, Any]) -> Workload:
    pod, labels = template["spec"], template.get("metadata", {}).get("labels", {})
    return Workload(name, labels, pod, tuple(pod["containers"]), tuple(pod.get("initContainers", ())))


def _operated(name: str, spec: Mapping[str, Any]) -> Workload:
    """The pod that the operator makes of a custom resource: it locks the container, and adds its labels."""
    locked = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    container = {
        "image": spec["image"],
        "resources": spec["resources"],
        "securityContext": locked,
        "ports": [{"name": "web"}],
    }
    for patch in spec.get("containers", ()):
        container |= patch if patch["name"] == name else {}  # others are the operator's own, such as its reloader
    labels = {"app.kubernetes.io/name": name, **spec["podMetadata"]["labels"]}
    return Workload(name, labels, spec, (container,), ())


def broken(workload: Workload, *, by_digest: bool = True) -> Iterator[tuple[str, str]]:
    """Each rule that a workload breaks, with what was seen."""
    yield from _pod_rules(workload)
    for container in (*workload.containers, *workload.init_containers):
        yield from _container_rules(container, by_digest=by_digest)
    for container in workload.lasting:
        missing = [probe for probe in PROBES if probe not in container]
        if container.get("ports") and missing:
            yield "probes", f"{container['name']} serves a port and has no {', '.join(missing)}"


def _pod_rules(workload: Workload) -> Iterator[tuple[str, str]]:
    pod = workload.pod
    context = pod.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        yield "non-root", f"runAsNonRoot {context.get('runAsNonRoot')}, runAsUser {context.get('runAsUser')}"
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccomp", f"seccompProfile {context.get('seccompProfile')}"
    if pod.get("automountServiceAccountToken") is not False:
        yield "token", f"automountServiceAccountToken {pod.get('automountServiceAccountToken')}"
    if pod.get("hostNetwork"):
        yield "host network", "hostNetwork true"
    if pod.get("hostPID") or pod.get("hostIPC"):
        yield "host processes", "hostPID or hostIPC true"
    paths = [volume["hostPath"]["path"] for volume in pod.get("volumes", ()) if "hostPath" in volume]
    if paths:
        yield "host paths", ", ".join(paths)
    if not {"app.kubernetes.io/name", "service"} <= set(workload.labels):
        yield "labels", f"the pod has only {sorted(workload.labels)}"


def _container_rules(container: Mapping[str, Any], *, by_digest: bool) -> Iterator[tuple[str, str]]:
    context = container.get("securityContext", {})
    if context.get("readOnlyRootFilesystem") is not True:
        yield "read-only", f"readOnlyRootFilesystem {context.get('readOnlyRootFilesystem')}"
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "privileges", f"allowPrivilegeEscalation {context.get('allowPrivilegeEscalation')}"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield "capabilities", f"capabilities {context.get('capabilities')}"
    for kind in ("requests", "limits"):
        missing = {"cpu", "memory"} - set(container.get("resources", {}).get(kind, {}))
        if missing:
            yield "resources", f"no {kind} of {', '.join(sorted(missing))}"
    if container.get("command") != COMMANDS.get(container.get("name", "")):
        yield "entrypoint", "command replaces the entrypoint, which from-source and upstream images share"
    arguments = [IMAGE_ARGUMENT.fullmatch(argument) for argument in container.get("args", ())]
    images = [container["image"], *(match["image"] for match in arguments if match)]
    for image in images if by_digest else ():
        if not BY_DIGEST.fullmatch(image):
            yield "digest", f"image {image}"
