"""Every workload keeps the policy, or is a listed exception that is really needed."""

from collections.abc import Iterator, Mapping

import pytest

from .policy import EXCEPTIONS, FIXTURE_EXCEPTIONS, Workload, broken, workloads
from .rendering import CHARTS, DIGEST, PROFILES, Helm, fixture_manifests

CONTAINER = {
    "name": "example",
    "image": f"registry/example@{DIGEST}",
    "ports": [{"containerPort": 80}],
    "startupProbe": {},
    "readinessProbe": {},
    "livenessProbe": {},
    "resources": {"requests": {"cpu": 1, "memory": "1Mi"}, "limits": {"cpu": 1, "memory": "1Mi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
}
POD = {
    "automountServiceAccountToken": False,
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
LABELS = {"app.kubernetes.io/name": "example", "service": "example"}


def every_workload(helm: Helm) -> Iterator[Workload]:
    for chart in CHARTS:
        for profile in PROFILES:
            yield from workloads(helm.manifests(chart, profile))
    yield from workloads(helm.manifests("monitoring", "local", "--set", "grafana.enabled=true"))
    yield from workloads(helm.manifests("logging", "local", "--set", "collector=alloy"))


def test_every_workload_of_the_charts_keeps_the_policy(helm: Helm) -> None:
    found = {
        (workload.name, rule, seen)
        for workload in every_workload(helm)
        for rule, seen in broken(workload)
        if (workload.name, rule) not in EXCEPTIONS
    }
    assert sorted(found) == []


def test_every_fixture_keeps_the_policy() -> None:
    found = {
        (path.split("/")[1], rule): (workload.name, seen)
        for path, manifest in fixture_manifests()
        for workload in workloads([manifest])
        for rule, seen in broken(workload, by_digest=False)  # the digest and the labels come from kustomize
        if rule != "labels"
    }
    assert {place: seen for place, seen in found.items() if place not in FIXTURE_EXCEPTIONS} == {}
    assert set(FIXTURE_EXCEPTIONS) - set(found) == set(), "an exception that nothing needs"


def test_every_exception_is_needed(helm: Helm) -> None:
    used = {(workload.name, rule) for workload in every_workload(helm) for rule, _ in broken(workload)}
    assert set(EXCEPTIONS) - used == set()


def test_the_policy_accepts_what_is_right() -> None:
    assert list(broken(Workload("example", LABELS, POD, (CONTAINER,), ()))) == []


@pytest.mark.parametrize(
    ("pod", "container", "rule"),
    [
        ({"securityContext": {"runAsUser": 0}}, {}, "non-root"),
        ({"securityContext": {"runAsNonRoot": True, "runAsUser": 1}}, {}, "seccomp"),
        ({"automountServiceAccountToken": True}, {}, "token"),
        ({"hostNetwork": True}, {}, "host network"),
        ({"hostPID": True}, {}, "host processes"),
        ({"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}, {}, "host paths"),
        ({}, {"securityContext": {}}, "read-only"),
        ({}, {"securityContext": {"privileged": True}}, "privileges"),
        ({}, {"securityContext": {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}}, "capabilities"),
        ({}, {"resources": {"requests": {"cpu": 1, "memory": 1}, "limits": {"cpu": 1}}}, "resources"),
        ({}, {"command": ["sh", "-c", "true"]}, "entrypoint"),
        ({}, {"command": ["/daprd"]}, "entrypoint"),
        ({}, {"name": "daprd"}, "entrypoint"),
        ({}, {"name": "daprd", "command": ["sh"]}, "entrypoint"),
        ({}, {"image": "registry/example:latest"}, "digest"),
        ({}, {"args": ["--prometheus-config-reloader=quay.io/reloader:v1"]}, "digest"),
    ],
)
def test_the_policy_refuses_what_is_wrong(pod: dict[str, object], container: dict[str, object], rule: str) -> None:
    workload = Workload("example", LABELS, POD | pod, (CONTAINER | container,), ())
    assert rule in {name for name, _ in broken(workload)}


SILENT = {key: value for key, value in CONTAINER.items() if key != "readinessProbe"}


def test_the_policy_wants_probes_and_labels() -> None:
    assert {rule for rule, _ in broken(Workload("example", {}, POD, (SILENT,), ()))} == {"probes", "labels"}


def test_a_native_sidecar_is_held_to_what_a_container_is() -> None:
    """Its image, its rights and its limits as every init container's, and its probes since it goes on."""

    def found(sidecar: Mapping[str, object]) -> set[str]:
        pod = Workload("example", LABELS, POD, (CONTAINER,), ({**sidecar, "restartPolicy": "Always"},))
        return {rule for rule, _ in broken(pod)}

    assert found(CONTAINER) == set()
    assert found(SILENT) == {"probes"}
    assert found(CONTAINER | {"image": "registry/daprd:1.16", "resources": {}}) == {"digest", "resources"}
    assert list(broken(Workload("example", LABELS, POD, (CONTAINER,), (SILENT,)))) == []  # a migration ends
