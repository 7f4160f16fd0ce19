"""A kind cluster as a service of a Dagger engine: to be bound to, or tunnelled to the host with `up`."""

import dagger

from sluice.adapters.dagger_engine.cluster_host import HOST, WAIT, bound, docker_engine
from sluice.adapters.dagger_engine.toolbox import asked_now, toolbox

API_PORT = 6443  # Kubernetes' own
NAME = "cluster"  # by which a container that is bound to it should call it
_KUBECONFIG = "/kubeconfig"
_COMMAND = "python -m sluice.entrypoints.engine_cluster"


def cluster_service(
    client: dagger.Client, source: dagger.Directory, *, supply: str = "auto", offline: dagger.Directory | None = None
) -> dagger.Service:
    """Return the service; its one port is the API server's, and answers once the node is ready.

    The Docker engine that the node runs in is a service of its own, whose port nobody outside sees.
    """
    script = f"{WAIT}exec {_COMMAND} serve {API_PORT}"
    return (
        _box(client, source, supply, offline)
        .with_exposed_port(API_PORT, description="the API server of Kubernetes")
        .as_service(args=["sh", "-euc", script], insecure_root_capabilities=True)
    )


def kubeconfig(
    client: dagger.Client, source: dagger.Directory, *, host: str = NAME, supply: str = "auto",
    offline: dagger.Directory | None = None,
) -> dagger.File:  # fmt: skip
    """Return the credentials of the running cluster, for who calls its service `host`.

    They are asked of kind beside the service, which is started where it does not run.
    """
    box = _box(client, source, supply, offline)
    box = box.with_service_binding(NAME, cluster_service(client, source, supply=supply, offline=offline))
    command = f"exec {_COMMAND} kubeconfig {_KUBECONFIG} https://{host}:{API_PORT}"
    # Another cluster has other credentials: what an earlier call was given is of no use.
    return asked_now(box).with_exec(["sh", "-euc", f"{WAIT}{command}"]).file(_KUBECONFIG)


def _box(
    client: dagger.Client, source: dagger.Directory, supply: str, offline: dagger.Directory | None
) -> dagger.Container:
    box = bound(toolbox(client, source, offline), docker_engine(client, source, offline))
    names = f"{HOST},{NAME}"  # the first is where the ports are; the certificate holds both, and localhost
    return box.with_env_variable("SLUICE_SUPPLY_MODE", supply).with_env_variable("SLUICE_CLUSTER_API_NAMES", names)
