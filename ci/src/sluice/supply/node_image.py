"""The node image: what kind starts as a machine, made here from Debian, our Kubernetes and kind's own files.

kind's rules for a node image: /kind/version, kubeadm, kubelet and kubectl in /usr/bin, containerd, the units of
its module's images/base/files enabled, and the images that kubeadm asks for already in containerd.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import anyio

from sluice.adapters.docker.engine import Engine
from sluice.domain import Component
from sluice.supply import artifact, debian, oci
from sluice.supply.catalog import Entry
from sluice.supply.workbench import Workbench, in_engine

_BUILD_SECONDS = 1200
_SERVERS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
# The tags that kubeadm of Kubernetes 1.34.2 asks for; CoreDNS is asked for by its true version (kind_config.py).
_ETCD_TAG, _PAUSE_TAGS = "3.6.5-0", ("3.10", "3.10.1")
# Unpacking here takes that work out of every start. A volume is needed: overlayfs cannot lie on overlayfs.
_PRELOAD = r"""
set -eu
containerd --root /preload/root --state /run/preload --address /run/preload.sock >/preload/log 2>&1 &
daemon=$!
tries=0
until ctr --address /run/preload.sock version >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 150 ]; then cat /preload/log; exit 1; fi
    sleep 0.2
done
images="ctr --address /run/preload.sock --namespace k8s.io"
$images images import /preload.tar
# Unpacked layers are not needed again (containerd's discard_unpacked_layers); every start would copy them.
$images content ls | awk '$2 ~ /M/ || $2 ~ /G/ {print $1}' | xargs -r $images content rm
kill "$daemon"
wait "$daemon" || true
rm /preload.tar
mkdir -p /var/lib/containerd
cp -a /preload/root/. /var/lib/containerd/
"""


async def build(entry: Entry, into: Path, bench: Workbench) -> None:
    """Make the node image as `into/image.tar`. Raises CommandFailed with the last lines of the step that failed."""
    engine = await bench.engine()
    work = into.parent / "node"
    work.mkdir()
    bench.say("the machine: systemd, containerd, Kubernetes")
    machine = await _machine(entry, engine, work / "context", bench)
    bench.say("the images of the control plane")
    preload = work / "preload.tar"
    await _write_preload(entry.version, engine, work, preload, bench)
    bench.say("putting them into the machine")
    await _commit_preloaded(engine, machine, preload, into / "image.tar", bench)
    shutil.rmtree(work)


async def _machine(entry: Entry, engine: Engine, context: Path, bench: Workbench) -> str:
    parts = bench.parts
    shutil.copytree(debian.IMAGES / "node", context)
    shutil.copytree(artifact.files(parts["kind-node-files"]), context / "kind")
    for name in ("kubernetes", "capped-runc"):
        shutil.copy2(artifact.program(parts[name]), context / name)
    _name_images(context / "files/kind/manifests/default-storage.yaml", parts)
    tag = "sluice.local/node-machine:building"
    base = await in_engine(engine, parts["debian"])
    await engine.docker(
        "build",
        "--network",
        "host",
        "--build-arg",
        f"BASE={base}",
        "--build-arg",
        f"KUBERNETES_VERSION={entry.version}",
        "--tag",
        tag,
        context,
        deadline_seconds=_BUILD_SECONDS,
        log=bench.log,
        on_line=bench.say,
        what="building the node's machine",
    )
    return tag


def _name_images(manifest: Path, parts: Mapping[str, Component]) -> None:
    """Put true versions in the place of the fixture's v1."""
    text = manifest.read_text()
    for name in ("local-path-provisioner", "node-network"):
        text = text.replace(f"sluice.local/{name}:v1", f"sluice.local/{name}:v{parts[name].version}")
    manifest.write_text(text)


async def _write_preload(version: str, engine: Engine, work: Path, target: Path, bench: Workbench) -> None:
    parts = bench.parts

    def program_image(tags: list[str], name: str, path: str, links: dict[str, str] | None = None) -> oci.Tagged:
        layer = oci.write_layer(work / f"{name}.tar", {path: artifact.program(parts[name])}, links)
        return oci.Tagged(tags, oci.configuration([layer], [path]), [layer])

    def tagged(network: oci.Layer) -> list[oci.Tagged]:
        links = {f"/usr/local/bin/{name}": "kubernetes" for name in (*_SERVERS, "kube-proxy")}
        servers = program_image(
            [f"registry.k8s.io/{name}:v{version}" for name in _SERVERS],
            "kubernetes",
            "/usr/local/bin/kubernetes",
            links,
        )
        proxy_layers = [network, *servers.layers]
        storage = parts["local-path-provisioner"]
        return [
            servers,
            oci.Tagged(
                [f"registry.k8s.io/kube-proxy:v{version}"],
                oci.configuration(proxy_layers, ["/usr/local/bin/kube-proxy"]),
                proxy_layers,
            ),
            oci.Tagged(
                [f"sluice.local/node-network:v{parts['node-network'].version}"],
                oci.configuration([network], []),
                [network],
            ),
            program_image([f"registry.k8s.io/etcd:{_ETCD_TAG}"], "etcd", "/usr/local/bin/etcd"),
            program_image([f"registry.k8s.io/coredns/coredns:v{parts['coredns'].version}"], "coredns", "/coredns"),
            program_image([f"registry.k8s.io/pause:{tag}" for tag in _PAUSE_TAGS], "pause", "/pause"),
            program_image(
                [f"sluice.local/local-path-provisioner:v{storage.version}"], storage.name, f"/{storage.name}"
            ),
        ]

    flat = await _flattened(engine, await in_engine(engine, parts["node-network"]), work, bench)
    images = await anyio.to_thread.run_sync(tagged, flat)
    await anyio.to_thread.run_sync(oci.write_archive, target, images)


async def _flattened(engine: Engine, image: str, work: Path, bench: Workbench) -> oci.Layer:
    """One layer without deletions: what was unpacked can then be copied as plain files."""
    name = "sluice-node-network"
    await engine.docker("rm", "--force", "--volumes", name, check=False)
    await engine.docker("create", "--name", name, image, "/bin/true")
    try:
        await engine.docker("export", "--output", work / "network.tar", name, deadline_seconds=300, log=bench.log)
    finally:
        await engine.docker("rm", "--force", "--volumes", name, check=False)
    return await anyio.to_thread.run_sync(oci.layer_of, work / "network.tar")


async def _commit_preloaded(engine: Engine, machine: str, preload: Path, target: Path, bench: Workbench) -> None:
    name = "sluice-node-preload"
    await engine.docker("rm", "--force", "--volumes", name, check=False)
    try:
        await engine.docker(
            "create",
            "--name",
            name,
            "--privileged",
            "--volume",
            "/preload",
            "--entrypoint",
            "/bin/sh",
            machine,
            "-c",
            _PRELOAD,
        )
        await engine.docker("cp", preload, f"{name}:/preload.tar", deadline_seconds=300)
        await engine.docker(
            "start",
            "--attach",
            name,
            deadline_seconds=600,
            log=bench.log,
            on_line=bench.say,
            what="preloading the control plane's images",
        )
        committed = await engine.docker(
            "commit",
            "--change",
            'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
            "--change",
            "CMD []",
            name,
            deadline_seconds=300,
        )
        await engine.docker(
            "save", "--output", target, committed.stdout.strip(), deadline_seconds=600, what="saving the node image"
        )
    finally:
        await engine.docker("rm", "--force", "--volumes", name, check=False)
