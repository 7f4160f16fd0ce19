"""Every page: the objects, containers, labels and ports that its kubectl commands name are those that we render.

What is made without a chart stands in MADE, with who makes it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest
import yaml
from tests.unit.docs.kubectl import Call, calls, placeholder, proxied
from tests.unit.docs.pages import Page, every_page

from .connections import between_regions, delivered
from .policy import workloads
from .rendering import CHARTS, REPOSITORY, Helm, Manifest, chart_values, run, tool

# Not of a chart and not of a fixture: (namespace, kind, name).
MADE = {
    ("default", "configmaps", "dapr-components"): "kustomize, of k8s-fixtures/dapr",
    ("default", "secrets", "kafka"): "docs/clouds/README.md, for the component beside it",
    ("default", "secrets", "ocir"): "docs/clouds/oke.md",
    ("default", "configmaps", "sluice-ledger-0001"): "a promotion",
    ("default", "configmaps", "region"): "./nox -s regions",
    ("default", "leases", "sluice-promotion"): "a promotion",
    ("monitoring", "secrets", "ocir"): "docs/clouds/oke.md",
    ("logging", "secrets", "ocir"): "docs/clouds/oke.md",
    ("kube-system", "deployments", "coredns"): "Kubernetes",
}
# What the operator calls the StatefulSet that it makes of a custom resource.
OPERATED = {"Prometheus": "prometheus", "Alertmanager": "alertmanager"}
PLURALS = {"NetworkPolicy": "networkpolicies", "Prometheus": "prometheuses"}
EVERYWHERE = ("apiservices", "nodes", "namespaces")  # kinds whose objects have no namespace
# Containers that the operator puts into those pods.
BESIDE = {"config-reloader", "init-config-reloader"}
CLUSTERS_OWN = ("kube-system", "dapr-system")  # nothing of these namespaces is rendered here
SERVICES_NAMESPACE = "default"  # what a page calls $NAMESPACE


@dataclass(frozen=True)
class Names:
    """What a page may name: objects by namespace, kind and name; labels; containers; Services' ports."""

    objects: set[tuple[str, str, str]]
    labels: set[tuple[str, str]]
    containers: set[str]
    ports: set[tuple[str, str]]


@pytest.fixture(scope="module")
def names(helm: Helm) -> Names:
    """Of everything that is rendered, a cloud's profile included: pages for clouds speak of what is there."""
    system = delivered(helm)
    placed = [(part.namespace, one) for part in (*system.parts, *between_regions()) for one in part.manifests]
    placed += [(one["metadata"].get("namespace", ""), one) for one in system.cloud]
    manifests = [one for _, one in placed]
    pods = list(workloads(manifests))
    return Names(
        objects=set(MADE) | {each for namespace, one in placed for each in _objects(namespace, one)},
        labels=_labels(manifests) | {pair for one in pods for pair in one.labels.items()},
        containers=BESIDE
        | {each["name"] for one in pods for each in (*one.containers, *one.init_containers) if "name" in each},
        ports={
            (namespace, f"{one['metadata']['name']}:{port[key]}")
            for namespace, one in placed
            if one["kind"] == "Service"
            for port in one["spec"]["ports"]
            for key in ("port", "name")
        },
    )


def _objects(namespace: str, manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """An object with what comes of it: the StatefulSet and the pods, the Secrets that it reads."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    yield namespace, PLURALS.get(kind, f"{kind.lower()}s"), name
    if kind in OPERATED:
        name = f"{OPERATED[kind]}-{name}"
        yield namespace, "statefulsets", name
    if kind in {"StatefulSet", *OPERATED}:
        yield from ((namespace, "pods", f"{name}-{number}") for number in range(manifest["spec"]["replicas"]))
    if kind == "StatefulSet":  # <template>-<set>-<ordinal>, one of each pod
        claims = [each["metadata"]["name"] for each in manifest["spec"].get("volumeClaimTemplates", ())]
        ordinals = range(manifest["spec"]["replicas"])
        yield from ((namespace, "persistentvolumeclaims", f"{one}-{name}-{n}") for one in claims for n in ordinals)
    yield from ((namespace, "secrets", each) for each in _secrets(manifest))


def _secrets(value: object) -> Iterator[str]:
    """The Secrets that something names, wherever it does."""
    if isinstance(value, list):
        for each in value:
            yield from _secrets(each)
    if isinstance(value, dict):
        named = (value.get("secretName"), (value.get("secretKeyRef") or {}).get("name"))
        yield from (each for each in named if isinstance(each, str))
        if isinstance(listed := value.get("secrets"), list):  # of an Alertmanager
            yield from (each for each in listed if isinstance(each, str))
        for each in value.values():
            yield from _secrets(each)


def _labels(manifests: list[Manifest]) -> set[tuple[str, str]]:
    """Every label that an object has, those that kustomize puts on fixtures and Kubernetes on what it makes."""
    found = {("k8s-app", "kube-dns")}
    for one in manifests:
        found |= set(one["metadata"].get("labels", {}).items())
        found |= {("kubernetes.io/service-name", one["metadata"]["name"])} if one["kind"] == "Service" else set()
    for file in sorted((REPOSITORY / "k8s-fixtures").glob("*/kustomization.yaml")):
        for each in yaml.safe_load(file.read_text(encoding="utf-8")).get("labels", ()):
            found |= set(each["pairs"].items())
    return found


def mistakes(call: Call, names: Names) -> list[str]:
    """What a call names and nothing has."""
    namespace = SERVICES_NAMESPACE if placeholder(call.namespace) else call.namespace
    found = []
    for kind, name in call.objects if namespace not in CLUSTERS_OWN else ():
        wide = kind in EVERYWHERE and any(one[1:] == (kind, name) for one in names.objects)
        if not wide and (namespace, kind, name) not in names.objects:
            found.append(f"{kind} {name} is in no chart and no fixture of {namespace}")
    container = call.options.get("container", "")
    if container and not placeholder(container) and container not in names.containers:
        found.append(f"no pod has a container {container}")
    for pair in filter(None, call.options.get("selector", "").split(",")):
        key, _, value = pair.partition("=")
        if value and not placeholder(value) and (key, value) not in names.labels:
            found.append(f"nothing has the label {pair}")
    if asked := proxied(call):
        at = (SERVICES_NAMESPACE if placeholder(asked[0]) else asked[0], asked[1])
        if not placeholder(asked[1]) and at not in names.ports:
            found.append(f"no Service {at[1]} in {at[0]}")
    return [f"{call.where}: {one}" for one in found]


def test_what_kubectl_is_asked_for_is_there(names: Names) -> None:
    shown = [call for page in every_page() for call in calls(page)]
    assert len([call for call in shown if call.objects]) > 40
    assert [one for call in shown for one in mistakes(call, names)] == []


@cache
def flags_of(verb: str) -> frozenset[str]:
    """The options of a verb, as kubectl's own help lists them."""
    told = [run(tool("kubectl"), *words) for words in ((*verb.split(), "--help"), ("options",))]
    assert all(one.returncode == 0 for one in told), f"kubectl {verb} --help: {told[0].stderr}"
    return frozenset(re.findall(r"(?<![\w-])--?[a-z][\w-]*", "\n".join(one.stdout for one in told)))


def unknown_flags(call: Call) -> list[str]:
    """The options of a call that its verb has not."""
    if not call.verb or placeholder(call.verb):
        return []
    return [f"{call.where}: {one}" for one in call.flags if one != "-A" and one not in flags_of(call.verb)]


def test_kubectl_has_the_options_that_pages_give_it() -> None:
    shown = [call for page in every_page() for call in calls(page)]
    assert sum(len(call.flags) for call in shown) > 300
    assert [one for call in shown for one in unknown_flags(call)] == []
    (call,) = calls(Page("x.md", "`kubectl logs backend-1 --previos`"))
    assert unknown_flags(call) == ["x.md:1: kubectl logs backend-1 --previos: --previos"]


def unknown_values(page: Page) -> list[str]:
    """The values that a page names and no chart has: what begins as one of ours does, and does not go on so."""
    found = []
    trees = [chart_values(chart) for chart in CHARTS]
    for span in page.spans:
        first, *rest = span.text.split(".")
        roots = [tree[first] for tree in trees if first in tree]
        path = re.fullmatch(r"[\w.-]+", span.text) and not re.search(r"\.(json|ya?ml|toml|md|py)$", span.text)
        if rest and roots and path and not any(_has(root, rest) for root in roots):
            found.append(f"{page.name}:{span.line}: {span.text}")
    return found


def _has(value: object, path: list[str]) -> bool:
    if not path or not isinstance(value, dict):
        return not path
    return not value or (path[0] in value and _has(value[path[0]], path[1:]))  # what is empty takes any name


def test_values_that_pages_name_are_those_of_the_charts() -> None:
    assert [one for page in every_page() for one in unknown_values(page)] == []
    page = Page("x.md", "`autoscaling.maxReplicas`, `autoscaling.most`, `networkPolicy.ingress.any.namespace`")
    assert unknown_values(page) == ["x.md:1: autoscaling.most"]


@pytest.mark.parametrize(
    "line",
    [
        "kubectl get pods -n default -l service=backend",
        "kubectl logs loki-0 -n logging",
        "kubectl -n monitoring logs statefulset/prometheus-k8s -c prometheus",
        "kubectl -n $NAMESPACE describe deployment $SERVICE",
        "kubectl port-forward -n monitoring svc/alertmanager 9093",
        "kubectl get --raw /api/v1/namespaces/logging/services/loki:3100/proxy/ready",
    ],
)
def test_what_is_there_is_found(names: Names, line: str) -> None:
    (call,) = calls(Page("x.md", f"```sh\n{line}\n```"))
    assert mistakes(call, names) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "kubectl -n default describe deployment billing",
            "deployments billing is in no chart and no fixture",
        ),
        ("kubectl logs loki-7 -n logging", "pods loki-7 is in no chart and no fixture of logging"),
        ("kubectl -n default logs deployment/prometheus-operator", "of default"),
        ("kubectl -n monitoring logs prometheus-k8s-0 -c promtheus", "no pod has a container promtheus"),
        ("kubectl create secret generic dapr-token -n default --from-file=token", "secrets dapr-token is in no chart"),
        ("kubectl get pods -l service=bakend", "nothing has the label service=bakend"),
        ("kubectl port-forward -n logging svc/lokki 3100", "services lokki is in no chart and no fixture of logging"),
        (
            "kubectl get --raw /api/v1/namespaces/logging/services/loki:3101/proxy/ready",
            "no Service loki:3101",
        ),
    ],
)
def test_what_is_not_there_is_told(names: Names, line: str, said: str) -> None:
    (call,) = calls(Page("x.md", f"```sh\n{line}\n```"))
    (found,) = mistakes(call, names)
    assert said in found
