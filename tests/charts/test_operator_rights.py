"""What the Prometheus operator may do: what it asks for when it starts, and nothing of other namespaces but reading."""

from collections.abc import Iterator
from typing import Any

import pytest

from .rendering import PROFILES, Helm, Manifest, of_kind

OPERATOR = "prometheus-operator"
READ = ("get", "list", "watch")
MONITORING = "monitoring.coreos.com"
# (namespace, or "" for all; group; resource; verbs): what the operator 0.85 checks of itself before it starts a
# controller (its cmd/operator/main.go), and what its pkg/ calls.
NEEDED = [
    ("", MONITORING, "servicemonitors", READ),
    ("", MONITORING, "podmonitors", READ),
    ("", MONITORING, "probes", READ),
    ("", MONITORING, "scrapeconfigs", READ),
    ("", MONITORING, "prometheusrules", READ),
    ("", "", "namespaces", READ),
    ("", "", "nodes", ("list",)),
    ("", "", "events", ("create", "patch")),
    ("", "storage.k8s.io", "storageclasses", ("get",)),
    ("monitoring", MONITORING, "prometheuses", READ),
    ("monitoring", MONITORING, "prometheuses/status", ("update", "patch")),
    ("monitoring", MONITORING, "prometheuses/finalizers", ("update",)),
    ("monitoring", MONITORING, "alertmanagers", READ),
    ("monitoring", MONITORING, "alertmanagers/status", ("update", "patch")),
    ("monitoring", MONITORING, "alertmanagers/finalizers", ("update",)),
    ("monitoring", MONITORING, "alertmanagerconfigs", READ),
    ("monitoring", "apps", "statefulsets", (*READ, "create", "update", "delete")),
    ("monitoring", "", "secrets", (*READ, "create", "update", "delete")),
    ("monitoring", "", "configmaps", (*READ, "create", "update", "delete")),
    ("monitoring", "", "services", ("get", "create", "update")),
    ("monitoring", "", "pods", ("list",)),
    ("kube-system", "", "services", ("get", "create", "update")),
    ("kube-system", "discovery.k8s.io", "endpointslices", ("get", "list", "create", "update", "delete")),
]


def rules(manifests: list[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each rule of a role that is bound to the operator, with its namespace; "" for all."""
    for binding in (*of_kind(manifests, "ClusterRoleBinding"), *of_kind(manifests, "RoleBinding")):
        if OPERATOR in {one["name"] for one in binding["subjects"]}:
            space = binding["metadata"].get("namespace", "")
            (role,) = (
                one
                for one in of_kind(manifests, binding["roleRef"]["kind"])
                if one["metadata"]["name"] == binding["roleRef"]["name"]
                and one["metadata"].get("namespace", "") == space
            )
            for rule in role["rules"]:
                yield space, rule


def missing(manifests: list[Manifest]) -> list[tuple[str, str, str]]:
    """What it needs and may not, as (namespace, resource, verb)."""
    given = {
        (space, group, resource, verb)
        for space, rule in rules(manifests)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    return [
        (space, resource, verb)
        for space, group, resource, verbs in NEEDED
        for verb in verbs
        if not {(space, group, resource, verb), ("", group, resource, verb)} & given
    ]


def test_it_may_what_it_needs(helm: Helm) -> None:
    manifests = helm.manifests("monitoring", "local")
    assert missing(manifests) == []
    for role in of_kind(manifests, "Role"):
        role["rules"] = [rule for rule in role["rules"] if "statefulsets" not in rule["resources"]]
    assert ("monitoring", "statefulsets", "update") in missing(manifests)


@pytest.mark.parametrize("profile", PROFILES)
def test_of_other_namespaces_it_reads_monitors_and_rules_and_no_secret(helm: Helm, profile: str) -> None:
    for space, rule in rules(helm.manifests("monitoring", profile)):
        assert "*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])
        if not space:
            assert not {"secrets", "configmaps", "pods", "services", "statefulsets"} & set(rule["resources"])
            assert rule["resources"] == ["events"] or set(rule["verbs"]) <= set(READ), rule
        if space == "kube-system":
            assert set(rule["resources"]) <= {"services", "services/finalizers", "endpointslices"}


def test_it_looks_for_what_it_makes_where_it_has_the_rights(helm: Helm) -> None:
    """Without them its informers would ask for the Secrets of all namespaces, be refused, and never have synced."""
    manifests = helm.manifests("monitoring", "local", "--namespace", "watching")
    (deployment,) = (one for one in of_kind(manifests, "Deployment") if one["metadata"]["name"] == OPERATOR)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    told = {word.partition("=")[0]: word.partition("=")[2] for word in container["args"]}
    for flag in ("prometheus-instance", "alertmanager-instance", "thanos-ruler-instance", "alertmanager-config"):
        assert told[f"--{flag}-namespaces"] == "watching"
    assert {space for space, _ in rules(manifests)} == {"", "watching", "kube-system"}


def test_without_the_kubelets_it_has_no_rights_in_kube_system(helm: Helm) -> None:
    manifests = helm.manifests("monitoring", "local", "--set", "cluster.kubelet=false")
    assert {space for space, _ in rules(manifests)} == {"", "monitoring"}
