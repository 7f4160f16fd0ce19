"""The services' network policies: nothing in or out but what is named, and what is named is right."""

from collections.abc import Iterator
from typing import Any

import pytest

from .policy import Workload, workloads
from .rendering import PROFILES, SERVICE_CHARTS, Helm, Manifest, of_kind

DNS = {
    "to": [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
        {"ipBlock": {"cidr": "169.254.0.0/16"}},
    ],
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
}


def pods(name: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": {"app.kubernetes.io/name": name}}}


def namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def unguarded(manifests: list[Manifest]) -> Iterator[str]:
    """Workloads that no policy with both directions selects."""
    policies = [policy["spec"] for policy in of_kind(manifests, "NetworkPolicy")]
    for workload in workloads(manifests):
        if not any(_guards(policy, workload) for policy in policies):
            yield workload.name


def _guards(policy: dict[str, Any], workload: Workload) -> bool:
    selected: bool = policy["podSelector"]["matchLabels"].items() <= workload.labels.items()
    return selected and set(policy["policyTypes"]) == {"Ingress", "Egress"}


def policy_of(helm: Helm, chart: str, profile: str = "local", *arguments: str, name: str = "") -> dict[str, Any]:
    manifests = of_kind(helm.manifests(chart, profile, *arguments), "NetworkPolicy")
    spec: dict[str, Any] = next(each for each in manifests if each["metadata"]["name"] == (name or chart))["spec"]
    return spec


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_every_pod_of_a_service_is_refused_by_default(helm: Helm, chart: str, profile: str) -> None:
    assert list(unguarded(helm.manifests(chart, profile))) == []


def test_the_check_finds_what_no_policy_selects(helm: Helm) -> None:
    manifests = helm.manifests("backend", "local")
    without = [each for each in manifests if each["kind"] != "NetworkPolicy"]
    assert list(unguarded(without)) == ["backend", "backend-test"]
    for policy in of_kind(manifests, "NetworkPolicy"):
        policy["spec"]["policyTypes"] = ["Ingress"]
    assert list(unguarded(manifests)) == ["backend", "backend-test"]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_no_rule_opens_everything(helm: Helm, chart: str, profile: str) -> None:
    for policy in of_kind(helm.manifests(chart, profile), "NetworkPolicy"):
        spec = policy["spec"]
        assert all(rule["from"] and rule["ports"] for rule in spec.get("ingress", ()))
        assert all(rule for rule in spec["egress"])


@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_who_may_call_a_service(helm: Helm, chart: str) -> None:
    assert policy_of(helm, chart)["ingress"] == [
        {"from": [{"podSelector": {}}, namespace("monitoring")], "ports": [{"port": 8000}]},
        {"from": [namespace("monitoring")], "ports": [{"port": 9090}]},
    ]


@pytest.mark.parametrize("chart", sorted(set(SERVICE_CHARTS) - {"notification"}))
def test_whom_a_service_may_call(helm: Helm, chart: str) -> None:
    assert policy_of(helm, chart)["egress"] == [
        DNS,
        {"to": [pods("postgresql")], "ports": [{"port": 5432}]},
        {"to": [pods("kafka")], "ports": [{"port": 9092}]},
    ]


def test_notification_may_send_mail_and_call_webhooks_outside(helm: Helm) -> None:
    mail, webhooks = policy_of(helm, "notification")["egress"][3:]
    assert mail["ports"] == [{"port": 25}, {"port": 465}, {"port": 587}]
    assert webhooks["ports"] == [{"port": 80}, {"port": 443}]
    assert mail["to"] == webhooks["to"]
    (outside,) = webhooks["to"]
    assert outside["ipBlock"]["cidr"] == "0.0.0.0/0"
    # A user's address that leads to the cloud's metadata or into the cluster is nobody's webhook, and no mail server.
    assert {"169.254.0.0/16", "10.0.0.0/8"} <= set(outside["ipBlock"]["except"])


def test_a_mail_server_inside_is_named_in_the_place_of_the_internet(helm: Helm) -> None:
    mail = 'networkPolicy.egress.mail={"cidr": "10.1.2.3/32", "except": [], "ports": [587]}'
    rule = policy_of(helm, "notification", "local", "--set-json", mail)["egress"][3]
    assert rule == {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [{"port": 587}]}


def test_on_a_cloud_the_database_the_control_plane_and_the_ingress_are_reached(helm: Helm) -> None:
    policy = policy_of(helm, "backend", "gke")
    assert policy["ingress"][0]["from"][2:] == [namespace("kube-system"), namespace("ingress-nginx")]
    database = [pods("postgresql"), {"ipBlock": {"cidr": "10.0.0.0/8"}}]
    assert {"to": database, "ports": [{"port": 5432}]} in policy["egress"]
    assert policy["egress"][-1] == {"to": [namespace("dapr-system")]}


def test_the_test_of_a_service_may_call_it_and_nothing_else(helm: Helm) -> None:
    policy = policy_of(helm, "sync", name="sync-test")
    assert "ingress" not in policy
    assert policy["egress"] == [DNS, {"to": [pods("sync")], "ports": [{"port": 8000}]}]


def test_a_peer_in_another_namespace_is_one_peer(helm: Helm) -> None:
    arguments = ("--set-json", 'networkPolicy.egress={"relay": {"app": "relay", "namespace": "mail", "ports": [2525]}}')
    assert policy_of(helm, "audit", "local", *arguments)["egress"][-1] == {
        "to": [namespace("mail") | pods("relay")],
        "ports": [{"port": 2525}],
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('networkPolicy.egress={"all": {}}', "minProperties"),
        ('networkPolicy.egress={"all": {"port": 1}}', "'port' not allowed"),
        ('networkPolicy.ingress={"all": {"ports": [80]}}', "'ports' not allowed"),
        ('networkPolicy.egress={"all": {"except": ["10.0.0.0/8"]}}', "cidr"),
        ('networkPolicy.egress={"all": {"cidr": "10.0.0.0"}}', "does not match pattern"),
    ],
)
def test_a_rule_that_would_open_everything_is_refused(helm: Helm, value: str, expected: str) -> None:
    result = helm.try_template("backend", "local", "--set-json", value)
    assert result.returncode != 0
    assert expected in result.stderr
