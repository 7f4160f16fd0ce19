"""The configuration that kind is given."""

from typing import Any

import yaml

from sluice.adapters.kind.config import kind_config


def config(**changed: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "from_source": False,
        "short_capabilities": False,
        "coredns_version": "1.15.0",
        "api_address": "127.0.0.1",
    }
    found: dict[str, Any] = yaml.safe_load(kind_config(**{**given, **changed}))
    return found


def kubeadm(found: dict[str, Any], kind: str = "ClusterConfiguration") -> dict[str, Any]:
    patches: list[dict[str, Any]] = [yaml.safe_load(patch) for patch in found["kubeadmConfigPatches"]]
    [patch] = [patch for patch in patches if patch["kind"] == kind]
    return patch


def test_a_cluster_of_upstream_parts_keeps_its_own_network() -> None:
    found = config()
    assert (found["kind"], found["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")
    assert found["nodes"] == [{"role": "control-plane"}]
    assert found["networking"] == {"apiServerAddress": "127.0.0.1", "serviceSubnet": "10.96.0.0/16"}
    assert "featureGates" not in found
    assert "dns" not in kubeadm(found)


def test_our_own_node_image_brings_its_network_and_its_coredns() -> None:
    found = config(from_source=True)
    assert found["networking"]["disableDefaultCNI"] is True
    assert kubeadm(found)["dns"] == {"imageRepository": "registry.k8s.io/coredns", "imageTag": "v1.15.0"}


def test_a_host_short_of_capabilities_gets_the_kubelet_of_a_user_namespace() -> None:
    assert config(short_capabilities=True)["featureGates"] == {"KubeletInUserNamespace": True}


def test_further_names_are_in_the_certificate() -> None:
    found = config(api_address="0.0.0.0", api_names=("engine",))
    assert found["networking"]["apiServerAddress"] == "0.0.0.0"
    assert kubeadm(found)["apiServer"]["certSANs"] == ["localhost", "127.0.0.1", "engine"]


def test_nodes_look_for_registries_in_the_folder_that_join_fills() -> None:
    [patch] = config()["containerdConfigPatches"]
    assert 'config_path = "/etc/containerd/certs.d"' in patch


def test_a_changed_secret_reaches_a_pod_within_seconds() -> None:
    assert kubeadm(config(), "KubeletConfiguration")["syncFrequency"] == "10s"
