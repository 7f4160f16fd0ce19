"""What the delivered system connects, read out of what its charts render to and of the fixtures.

An address in a workload's environment, arguments or configuration is an edge without a label. What is told in another
way has one: who scrapes whom, which database, which API, who is told of alerts, what reaches whom from outside.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.unit.docs.diagrams import Edge

from .policy import Workload, workloads
from .rendering import CHARTS, NAMESPACES, REPOSITORY, SERVICE_CHARTS, Helm, Manifest, chart_values, documents, of_kind

FIXTURES = REPOSITORY / "k8s-fixtures"
# Folders of fixtures that are no part of the system: they are there for the suites' sake.
OF_THE_SUITES = {"alert-receivers": "stands for whoever is told of alerts", "faults": "breaks things on purpose"}
# Folders that a system in one region has nothing of (docs/failover.md).
OF_TWO_REGIONS = {"kafka-region", "postgresql-region", "mirror"}
# Of Kubernetes itself; their pods are nobody's chart.
CLUSTERS_OWN = {"kubelet", "apiserver", "coredns"}
USERS, LOG_FILES, SIDECAR = "users", "log-files", "daprd"


@dataclass(frozen=True)
class Part:
    """What one chart or fixture brings, in its namespace."""

    namespace: str
    manifests: list[Manifest]
    generated: Mapping[str, str]  # ConfigMaps that kustomize makes of files


@dataclass(frozen=True)
class System:
    """All parts as they are on a cluster of ours, and a cloud's charts for what only a cloud has."""

    parts: list[Part]
    cloud: list[Manifest]

    def nodes(self) -> dict[str, str]:
        """Each workload with its namespace; of the sidecars, which are the same everywhere, one."""
        found: dict[str, str] = {}
        for part in self.parts:
            for one in _lasting(part):
                found |= dict.fromkeys([one.name, *([SIDECAR] if _sidecar(one) else [])], part.namespace)
        return found

    def edges(self) -> set[Edge]:
        """Every connection, once; what leads back to itself is left out."""
        files = {name: text for part in self.parts for name, text in part.generated.items()}
        found = set(_told(self.cloud)) | set(_from_outside(self.cloud)) | set(_to_outside())
        for part in self.parts:
            found |= set(_addresses(part, self._written(part.namespace), files))
            found |= {*_databases(part), *_scraped(part), *_apis(part), *_operated(part)}
        return {edge for edge in found if edge.start != edge.end}

    def _written(self, namespace: str) -> dict[str, str]:
        """The Service behind each address, as it is written in a namespace: with that of another, without its own."""
        found: dict[str, str] = {}
        for part in self.parts:
            for one in of_kind(part.manifests, "Service"):
                name = one["metadata"]["name"]
                for port in (each["port"] for each in one["spec"]["ports"]):
                    found[f"{name}.{part.namespace}:{port}"] = name
                    found |= {f"{name}:{port}": name} if part.namespace == namespace else {}
        return found


def delivered(helm: Helm) -> System:
    """The system as the local profile has it, with Grafana, which is there wherever its image can be had."""
    given = {"monitoring": ("--set", "grafana.enabled=true")}
    charts = [
        Part(NAMESPACES.get(chart, "default"), helm.manifests(chart, "local", *given.get(chart, ())), {})
        for chart in CHARTS
    ]
    cloud = [one for chart in CHARTS for one in helm.manifests(chart, "oke")]
    return System([*charts, *map(_fixture, sorted(_folders() - {*OF_THE_SUITES, *OF_TWO_REGIONS}))], cloud)


def between_regions() -> list[Part]:
    """What two regions have beside that."""
    return [_fixture(one) for one in OF_TWO_REGIONS]


def _folders() -> set[str]:
    return {file.parent.name for file in FIXTURES.glob("*/kustomization.yaml")}


def _fixture(name: str) -> Part:
    folder = FIXTURES / name
    made = yaml.safe_load(_text(folder / "kustomization.yaml"))
    files = [folder / one for one in made.get("resources", ()) if not (folder / one).is_dir()]  # another fixture
    generated = {
        one["name"]: "\n".join(_text(folder / file) for file in one["files"])
        for one in made.get("configMapGenerator", ())
    }
    return Part(made["namespace"], [one for file in files for one in documents(_text(file))], generated)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _lasting(part: Part) -> Iterator[Workload]:
    """Workloads that stay; the pod of a chart's test does not."""
    kinds = {"Deployment", "StatefulSet", "DaemonSet", "Prometheus", "Alertmanager"}
    yield from workloads([one for one in part.manifests if one["kind"] in kinds])


def _sidecar(workload: Workload) -> Mapping[str, Any] | None:
    """Its Dapr sidecar, whose app is the workload itself."""
    found = next((one for one in workload.lasting if one["name"] == SIDECAR), None)
    assert not found or f"--app-id={workload.name}" in found["args"], f"the sidecar of {workload.name} is of another"
    return found


def _addresses(part: Part, written: Mapping[str, str], files: Mapping[str, str]) -> Iterator[Edge]:
    """Whose address stands in what a container is given: environment, arguments, the files of its ConfigMaps."""
    pattern = re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, written))})(?!\d)")
    # What sidecars mount is a fixture's: a chart expects the ConfigMap to be there.
    own = of_kind(part.manifests, "ConfigMap")
    maps = {**files, **{one["metadata"]["name"]: "\n".join(one["data"].values()) for one in own}}
    for one in _lasting(part):
        sidecar = _sidecar(one)
        if sidecar:
            yield Edge(one.name, "", SIDECAR)
        for container in (*one.containers, *one.init_containers):
            start = SIDECAR if container is sidecar else one.name
            for match in pattern.finditer("\n".join(_given(container, one, maps))):
                yield Edge(start, "", written[match[1]])
        if any(each.get("hostPath", {}).get("path") == "/var/log/pods" for each in one.pod.get("volumes", ())):
            yield Edge(one.name, "reads", LOG_FILES)


def _given(container: Mapping[str, Any], workload: Workload, maps: Mapping[str, str]) -> Iterator[str]:
    yield from container.get("args", ())
    yield from (str(each.get("value", "")) for each in container.get("env", ()))
    mounted = {each["name"] for each in container.get("volumeMounts", ())}
    for volume in workload.pod.get("volumes", ()):
        if volume["name"] in mounted and "configMap" in volume:
            yield maps.get(volume["configMap"]["name"], "")


def _databases(part: Part) -> Iterator[Edge]:
    """The database of each service, by the ConfigMap that its containers read their environment from."""
    data = {one["metadata"]["name"]: one["data"] for one in of_kind(part.manifests, "ConfigMap")}
    for one in _lasting(part):
        for container in one.containers:
            for name in (
                each["configMapRef"]["name"] for each in container.get("envFrom", ()) if "configMapRef" in each
            ):
                if "DATABASE_HOST" in data[name]:
                    yield Edge(one.name, f"database {data[name]['DATABASE_NAME']}", data[name]["DATABASE_HOST"])


def _scraped(part: Part) -> Iterator[Edge]:
    """Whom Prometheus asks for metrics: the container behind each port that a monitor names."""
    services = {one["metadata"]["name"]: one for one in of_kind(part.manifests, "Service")}
    pods = {one.name: one for one in _lasting(part)}
    for monitor in (*of_kind(part.manifests, "ServiceMonitor"), *of_kind(part.manifests, "PodMonitor")):
        name = monitor["metadata"]["name"]
        if name in CLUSTERS_OWN:
            yield Edge("prometheus", "scrapes", name)
            continue
        ports = {port["name"]: port["targetPort"] for port in services[name]["spec"]["ports"]}
        sidecar = _sidecar(pods[name])
        beside = {port["name"] for port in sidecar["ports"]} if sidecar else set[str]()
        for endpoint in monitor["spec"]["endpoints"]:
            yield Edge("prometheus", "scrapes", SIDECAR if ports[endpoint["port"]] in beside else name)


def _apis(part: Part) -> Iterator[Edge]:
    """Whom the API server asks for an API, and who asks the kubelets."""
    for one in of_kind(part.manifests, "APIService"):
        yield Edge("apiserver", one["spec"]["group"], one["spec"]["service"]["name"])
    for each in _lasting(part):
        if any("--kubelet-use-node-status-port" in container.get("args", ()) for container in each.containers):
            yield Edge(each.name, "", "kubelet")


def _operated(part: Part) -> Iterator[Edge]:
    """What the operator makes, and whom the Prometheus that it makes tells of alerts."""
    for kind in ("Prometheus", "Alertmanager"):
        for one in of_kind(part.manifests, kind):
            yield Edge("prometheus-operator", "makes", kind.lower())
            for told in one["spec"].get("alerting", {}).get("alertmanagers", ()):
                yield Edge(kind.lower(), "", told["name"])


def _told(cloud: list[Manifest]) -> Iterator[Edge]:
    """Who is told of alerts where somebody is: the receivers of the clouds' profiles, by their kind."""
    secret = next(one for one in of_kind(cloud, "Secret") if one["metadata"]["name"] == "alertmanager-config")
    for receiver in yaml.safe_load(secret["stringData"]["alertmanager.yaml"])["receivers"]:
        for key in receiver:
            if key.endswith("_configs"):
                yield Edge("alertmanager", key.removesuffix("_configs"), receiver["name"])


def _from_outside(cloud: list[Manifest]) -> Iterator[Edge]:
    """Whom users reach: the services that let the ingress controller in, and those that scale by WebSockets."""
    for policy in of_kind(cloud, "NetworkPolicy"):
        peers = [peer for rule in policy["spec"].get("ingress", ()) for peer in rule["from"]]
        if any("ingress" in str(peer.get("namespaceSelector", "")) for peer in peers):
            yield Edge(USERS, "HTTP", policy["metadata"]["name"])
    for scaler in of_kind(cloud, "HorizontalPodAutoscaler"):
        names = [one["pods"]["metric"]["name"] for one in scaler["spec"]["metrics"] if one["type"] == "Pods"]
        if "websocket_connections_active" in names:
            yield Edge(USERS, "WebSocket", scaler["metadata"]["name"])


def _to_outside() -> Iterator[Edge]:
    """Whom services reach beyond the cluster, by the names of their rules."""
    for chart in SERVICE_CHARTS:
        for name in chart_values(chart)["networkPolicy"]["egress"]:
            yield Edge(chart, "", name)
