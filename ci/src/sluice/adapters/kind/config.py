"""The configuration that kind is given (kind.x-k8s.io/v1alpha4)."""

import yaml

SERVICE_SUBNET = "10.96.0.0/16"  # kind's own default


def kind_config(
    *,
    from_source: bool,
    short_capabilities: bool,
    coredns_version: str,
    api_address: str,
    api_names: tuple[str, ...] = (),
) -> str:
    """Return the YAML for a cluster of one node.

    `from_source`: the node image is ours, which brings its own pod network. `short_capabilities`: the kubelet
    then treats what it may not set (its OOM score) as it does in a user namespace. `api_names` are further names
    that the API server's certificate holds, for callers on another host.
    """
    kubeadm: list[dict[str, object]] = [
        {"kind": "ClusterConfiguration", "apiServer": {"certSANs": ["localhost", "127.0.0.1", *api_names]}},
        # A changed Secret reaches a running pod at the kubelet's next look: Prometheus' scrape configuration is one.
        {"kind": "KubeletConfiguration", "syncFrequency": "10s"},
    ]
    networking: dict[str, object] = {"apiServerAddress": api_address, "serviceSubnet": SERVICE_SUBNET}
    if from_source:
        kubeadm[0]["dns"] = {"imageRepository": "registry.k8s.io/coredns", "imageTag": f"v{coredns_version}"}
        networking |= {"disableDefaultCNI": True, "podSubnet": "10.244.0.0/16"}
    config: dict[str, object] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": "control-plane"}],
        "networking": networking,
        "kubeadmConfigPatches": [yaml.safe_dump(patch) for patch in kubeadm],
        # Where a node looks for a registry's address is a folder, filled in after the start (registry.py).
        "containerdConfigPatches": [
            '[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n'
        ],
    }
    if short_capabilities:
        config["featureGates"] = {"KubeletInUserNamespace": True}
    return yaml.safe_dump(config, sort_keys=False)
