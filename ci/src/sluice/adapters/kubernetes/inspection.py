"""A closer look at pods: one as YAML, and what its Dapr sidecar has loaded."""

from collections.abc import Mapping
from typing import Any

import httpx
import yaml

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.errors import SluiceError, in_a_line
from sluice.ports import Sidecar

Object = Mapping[str, Any]

_SIDECAR, _PUBLIC_PORT = "daprd", "dapr-health"
_SECONDS = 5.0
# Of a container's many fields, those by which one tells why it does not run; `env` is left out on purpose.
_CONTAINER = (
    "name", "image", "command", "args", "ports", "resources", "restartPolicy",
    "startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "volumeMounts",
)  # fmt: skip
_SPEC = ("nodeName", "serviceAccountName", "restartPolicy", "terminationGracePeriodSeconds", "nodeSelector")
_STATUS = ("phase", "reason", "message", "startTime", "qosClass")


def describe(pod: Object) -> str:
    """A pod as YAML, status first: conditions, containers' states, then how it was meant."""
    meta, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    containers = {
        kind: [_picked(one, _CONTAINER) for one in spec.get(kind) or []] for kind in ("initContainers", "containers")
    }
    states = {
        kind: [_picked(one, ("name", "ready", "restartCount", "state", "lastState")) for one in status.get(kind) or []]
        for kind in ("initContainerStatuses", "containerStatuses")
    }
    shown = {
        "pod": f"{meta.get('namespace', '')}/{meta['name']}",
        "created": meta.get("creationTimestamp"),
        "deleted": meta.get("deletionTimestamp"),
        "owner": [f"{one.get('kind')}/{one.get('name')}" for one in meta.get("ownerReferences") or []],
        "labels": meta.get("labels"),
        "status": {
            **_picked(status, _STATUS),
            "conditions": [
                _picked(one, ("type", "status", "reason", "message", "lastTransitionTime"))
                for one in status.get("conditions") or []
            ],
            **states,
        },
        "spec": {
            **_picked(spec, _SPEC),
            **containers,
            "volumes": [_volume(one) for one in spec.get("volumes") or []],
        },
    }
    return yaml.safe_dump(_without_empty(shown), sort_keys=False, width=120, allow_unicode=True)


def sidecar_port(pod: Object) -> int:
    """The port at which a pod's Dapr sidecar tells of itself; 0 where there is none."""
    spec = pod.get("spec") or {}
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        if container["name"] == _SIDECAR:
            ports = {port.get("name"): int(port["containerPort"]) for port in container.get("ports") or []}
            return ports.get(_PUBLIC_PORT, 0)
    return 0


async def ask_sidecar(client: httpx.AsyncClient, namespace: str, pod: str, port: int) -> Sidecar:
    """Ask daprd's metadata API (https://docs.dapr.io/reference/api/metadata_api/); raises nothing."""
    proxy = ServiceProxy(client, namespace, pod, port, kind="pods")
    try:
        answer = await proxy.request("GET", "/v1.0/metadata", timeout_seconds=_SECONDS)
        if answer.is_error:
            return Sidecar(pod, error=f"{answer.status_code}: {answer.text[:200]}")
        return _sidecar(pod, answer.json())
    except (SluiceError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Sidecar(pod, error=in_a_line(error))


def _sidecar(pod: str, told: Object) -> Sidecar:
    components = [f"{one['name']} ({one['type']}/{one.get('version', '')})" for one in told.get("components") or []]
    subscriptions = []
    for one in told.get("subscriptions") or []:
        # Older versions wrap the rules once more.
        rules = one.get("rules") or []
        rules = rules.get("rules") or [] if isinstance(rules, dict) else rules
        paths = ", ".join(str(rule.get("path", "")) for rule in rules)
        dead = f", dead letters to {one['deadLetterTopic']}" if one.get("deadLetterTopic") else ""
        subscriptions.append(f"{one['pubsubname']}/{one['topic']} to {paths}{dead}")
    return Sidecar(
        pod,
        app=str(told.get("id", "")),
        version=str(told.get("runtimeVersion", "")),
        components=tuple(components),
        subscriptions=tuple(subscriptions),
    )


def _picked(item: Object, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: item[key] for key in keys if key in item}


def _volume(volume: Object) -> str:
    kinds = [key for key in volume if key != "name"]
    kind = kinds[0] if kinds else "emptyDir"
    source = volume.get(kind) or {}
    name = next((source[key] for key in ("claimName", "secretName", "name", "path") if key in source), "")
    return f"{volume['name']}: {kind} {name}".rstrip()


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        found = {key: _without_empty(one) for key, one in value.items()}
        return {key: one for key, one in found.items() if one not in (None, "", [], {})}
    if isinstance(value, list):
        return [_without_empty(one) for one in value]
    return value
