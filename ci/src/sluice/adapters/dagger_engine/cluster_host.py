"""Where kind runs on a Dagger engine: dockerd as a service, and the toolbox bound to it."""

import dagger

from sluice.adapters.dagger_engine.toolbox import ROOT, machine, with_go

HOST = "docker"  # the service's name for who is bound to it, and among the names of the API server's certificate
REGISTRY_PORT = 5001  # of the registry that a run leaves its images in
_PORT = 2375
_CAPPED_RUNC = "/usr/local/bin/capped-runc"
_CAPPED_RUNC_SOURCE = "ci/src/sluice/supply/gosrc/capped-runc"

# Mounts that a node makes must travel, so the root is shared first. Under cgroup v2 processes may not stay in a
# group whose controllers are handed on: they move aside. The bounding set is computed, never assumed
# (capabilities(7), proc_pid_status(5)): where it is short, runc goes through capped-runc. Containers that an ended
# session left in the volume would be started again and be taken for this one's: a daemon that nobody can reach yet
# removes them, and what their volumes hold that have no name.
_START = f"""
mount --make-rshared /
groups=/sys/fs/cgroup
if [ -f $groups/cgroup.controllers ]; then
    mkdir -p $groups/init
    while read -r pid; do echo "$pid" > $groups/init/cgroup.procs || :; done < $groups/cgroup.procs
    for controller in $(cat $groups/cgroup.controllers); do
        echo "+$controller" > $groups/cgroup.subtree_control || :
    done
fi
last=$(cat /proc/sys/kernel/cap_last_cap)
bounding=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
set -- --host unix:///var/run/docker.sock --host tcp://0.0.0.0:{_PORT} --tls=false
if [ "$((0x$bounding))" -ne "$(((1 << (last + 1)) - 1))" ]; then
    set -- "$@" --add-runtime capped={_CAPPED_RUNC} --default-runtime capped
fi
if [ -n "$(ls -A /var/lib/docker/containers 2> /dev/null)" ]; then
    dockerd --host unix:///run/leftovers.sock --pidfile /run/leftovers.pid > /run/leftovers.log 2>&1 &
    daemon=$! tries=0
    until docker --host unix:///run/leftovers.sock version > /dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 120 ] || {{ cat /run/leftovers.log >&2; exit 2; }}
        sleep 0.5
    done
    found=$(docker --host unix:///run/leftovers.sock ps --all --quiet)
    [ -z "$found" ] || docker --host unix:///run/leftovers.sock rm --force --volumes $found
    kill $daemon
    wait $daemon || :
fi
exec dockerd "$@"
"""

# The port is open before the daemon answers. To be run in the command that needs it: a service that nothing is bound
# to for some seconds is stopped, and started again by the next command.
WAIT = """
tries=0
until docker version > /dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 120 ] || { docker version; echo "the Docker engine did not answer within a minute" >&2; exit 2; }
    sleep 0.5
done
"""


def docker_engine(
    client: dagger.Client, source: dagger.Directory, offline: dagger.Directory | None = None
) -> dagger.Service:
    """Return a Docker engine as a service; what it pulled and holds stays in a cache volume.

    It takes nothing of the source but capped-runc: an edit of a service must not start another engine.
    """
    base = machine(client, source, offline)
    builder = with_go(base, client, offline).with_directory(ROOT, source.directory(_CAPPED_RUNC_SOURCE))
    built = builder.with_workdir(ROOT).with_env_variable("CGO_ENABLED", "0")
    built = built.with_exec(["go", "build", "-trimpath", "-o", _CAPPED_RUNC, "."])
    container = base.with_file(_CAPPED_RUNC, built.file(_CAPPED_RUNC))
    # Two daemons cannot share their state: a second session gets a volume of its own.
    container = container.with_mounted_cache(
        "/var/lib/docker", client.cache_volume("sluice-docker"), sharing=dagger.CacheSharingMode.PRIVATE
    )
    return (
        container.with_mounted_temp("/run")
        .with_exposed_port(_PORT)
        .as_service(args=["sh", "-euc", _START], insecure_root_capabilities=True, no_init=True)
    )


def bound(container: dagger.Container, engine: dagger.Service) -> dagger.Container:
    """Return a toolbox that uses the engine: its `docker`, and with it kind, speak to the service.

    Ports that the engine publishes are reached under the service's name, so they must not stay on its loopback.
    """
    return (
        container.with_service_binding(HOST, engine)
        .with_env_variable("DOCKER_HOST", f"tcp://{HOST}:{_PORT}")
        .with_env_variable("SLUICE_CLUSTER_API_ADDRESS", "0.0.0.0")
        .with_env_variable("SLUICE_CLUSTER_API_NAMES", HOST)
        .with_env_variable("SLUICE_CLUSTER_REGISTRY_PORT", str(REGISTRY_PORT))
    )
