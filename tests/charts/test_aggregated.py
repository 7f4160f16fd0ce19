"""API servers behind the cluster's own one: registered when it is said, with all that a registration needs."""

import pytest

from .rendering import Helm, Manifest, of_kind, title

SERVERS = {
    "metrics-server": ("metricsServer", "v1beta1.metrics.k8s.io"),
    "prometheus-adapter": ("prometheusAdapter", "v1beta2.custom.metrics.k8s.io"),
}


def of(manifests: list[Manifest], server: str) -> dict[str, Manifest]:
    return {title(one): one for one in manifests if one["metadata"]["labels"]["app.kubernetes.io/name"] == server}


@pytest.mark.parametrize("server", SERVERS)
def test_the_registration_leads_to_the_server_and_it_may_ask_who_calls(helm: Helm, server: str) -> None:
    found = of(helm.manifests("monitoring", "local"), server)
    registration = found[f"APIService/{SERVERS[server][1]}"]["spec"]
    assert f"{registration['version']}.{registration['group']}" == SERVERS[server][1]
    address = registration["service"]
    service = found[f"Service/{address['name']}"]
    assert service["metadata"]["namespace"] == address["namespace"] == "monitoring"
    assert [port["port"] for port in service["spec"]["ports"]] == [address["port"]]
    account = found[f"Deployment/{server}"]["spec"]["template"]["spec"]["serviceAccountName"]
    bindings = [one for one in found.values() if one["kind"].endswith("Binding")]
    assert {one["roleRef"]["name"] for one in bindings} == {
        f"monitoring-{server}", "system:auth-delegator", "extension-apiserver-authentication-reader",
    }  # fmt: skip
    for binding in bindings:
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": "monitoring"}]
    assert f"ClusterRole/monitoring-{server}" in found


@pytest.mark.parametrize("server", SERVERS)
def test_before_it_serves_only_the_registration_is_left_out(helm: Helm, server: str) -> None:
    key, registration = SERVERS[server]
    whole = of(helm.manifests("monitoring", "local"), server)
    unregistered = of(helm.manifests("monitoring", "local", "--set", f"{key}.registered=false"), server)
    assert set(whole) - set(unregistered) == {f"APIService/{registration}"}
    assert unregistered.items() <= whole.items()


@pytest.mark.parametrize("server", SERVERS)
def test_turned_off_nothing_of_it_is_there(helm: Helm, server: str) -> None:
    key, registration = SERVERS[server]
    manifests = helm.manifests("monitoring", "local", "--set", f"{key}.enabled=false,images.{server}=null")
    assert of(manifests, server) == {}
    assert registration not in [one["metadata"]["name"] for one in of_kind(manifests, "APIService")]


def test_the_adapter_starts_anew_with_other_metrics(helm: Helm) -> None:
    """It reads its rules once."""

    def checksum(*arguments: str) -> str:
        server = of(helm.manifests("monitoring", "local", *arguments), "prometheus-adapter")
        annotations = server["Deployment/prometheus-adapter"]["spec"]["template"]["metadata"]["annotations"]
        return str(annotations["checksum/config"])

    assert checksum("--set", "prometheusAdapter.podMetrics={a,b}") != checksum()
