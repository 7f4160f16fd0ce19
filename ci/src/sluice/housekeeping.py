"""Removing what Sluice made on this host, and nothing else."""

import shutil
from contextlib import suppress
from pathlib import Path

from sluice.adapters.docker import engine
from sluice.adapters.docker.backup_store import remove_stores
from sluice.adapters.docker.beside import OURS
from sluice.adapters.docker.engine import Engine
from sluice.adapters.docker.registry import LocalRegistry
from sluice.adapters.kind.cluster import KindCluster
from sluice.cluster_lock import clusters_held
from sluice.regions.active import FOLDER as ACTIVE
from sluice.regions.model import REGIONS, cluster_of
from sluice.settings import Settings
from sluice.supply.artifact import program
from sluice.supply.cache import Cache

_IMAGES = "sluice.local/*"
_CACHE_FOLDERS = ("supply", "go", "maven", "images", "staging", "docker")


async def clean(settings: Settings, root: Path, *, with_cache: bool) -> list[str]:
    """Remove our cluster, registry, images and engine; with `with_cache` also what was built. Returns what was done.

    Raises ClusterError for a cluster or container of our names that is not ours, or that a command is at work on: that
    is left as it is.
    """
    regions = [cluster_of(settings.cluster.name, region) for region in REGIONS]
    with clusters_held(settings, settings.cluster.name, settings.cluster.target_name, *regions, command="clean"):
        said = await _cleaned(settings, root, with_cache=with_cache)
    with suppress(OSError):  # what is left in there speaks of clusters of other names
        (settings.cache / "clusters").rmdir()
    return said or ["nothing here was made by Sluice"]


async def _cleaned(settings: Settings, root: Path, *, with_cache: bool) -> list[str]:
    said: list[str] = []
    name, cache = settings.cluster.name, settings.cache
    if await engine.answers():
        docker = Engine(cache / "docker")
        target = settings.cluster.target_name
        for cluster, port in (
            (name, settings.cluster.registry_port),
            (target, settings.cluster.target_registry_port),
        ):
            if await _delete_cluster(docker, cluster, cache):
                said.append(f"removed the cluster {cluster}")
            if await LocalRegistry(docker, cluster, port).remove():
                said.append(f"removed the registry {cluster}-registry and its volume")
        regions = [cluster_of(name, region) for region in REGIONS]
        said += [f"removed the cluster {one}" for one in regions if await _delete_cluster(docker, one, cache)]
        if await remove_stores(docker, name):
            said.append(f"removed the drills' back-ups {name}-backups and their volumes")
        images = sorted({*await _images(docker, f"reference={_IMAGES}"), *await _images(docker, f"label={OURS}")})
        if images:  # one that a container of somebody else uses is refused, and stays
            await docker.docker("image", "rm", *images, check=False)
            said.append(f"removed the images of components and services ({len(images)} names)")
        running = (await docker.docker("ps", "--quiet")).stdout.split()
        if running:
            said.append(f"the Docker engine goes on: {len(running)} containers that are not ours run on it")
        elif await engine.stop_own_engine(cache / "docker", said.append):
            said.append("the Docker engine stays installed: apt-get purge docker.io removes it")
    staging = cache / "staging"
    if staging.exists():
        shutil.rmtree(staging)
    if with_cache and any((cache / folder).exists() for folder in _CACHE_FOLDERS):
        # Only the folders that we make: a cache set to a folder with other things in it keeps those.
        for folder in _CACHE_FOLDERS:
            shutil.rmtree(cache / folder, ignore_errors=True)
        for log in cache.glob("clean.*log"):
            log.unlink()
        said.append(f"removed what was built and fetched below {cache}")
    home = root / settings.run.folder
    for made in (home / "tools", home / "target", home / ACTIVE):
        if made.exists():
            shutil.rmtree(made)
    return said


async def _delete_cluster(docker: Engine, name: str, cache: Path) -> bool:
    """Delete our cluster with any kind that was obtained, or by its container where the cache has none any more."""
    found = Cache(cache).newest("kind")
    kind = program(found) if found else Path("kind")
    cluster = KindCluster(docker, kind, name, cache / "clusters", cache / "clean.log")
    if found:
        return await cluster.delete()
    existed = await cluster.owned()
    if existed:
        await docker.docker("rm", "--force", "--volumes", cluster.node)
        await cluster.delete()  # nothing is left for kind to do: this removes what we keep about it
    return existed


async def _images(docker: Engine, which: str) -> list[str]:
    """The names of images that a filter finds; their ids where they have none."""
    listed = await docker.docker("image", "ls", "--filter", which, "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
    pairs = (line.split() for line in listed.stdout.splitlines())
    return [number if name.startswith("<none>") else name for name, number in pairs]
