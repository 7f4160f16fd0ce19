"""Removing what Sluice made on this host, and nothing else."""

import shutil
from pathlib import Path

from sluice.adapters.docker import engine
from sluice.adapters.docker.engine import Engine
from sluice.adapters.docker.registry import LocalRegistry
from sluice.adapters.kind.cluster import KindCluster
from sluice.settings import Settings
from sluice.supply.cache import Cache

_OURS = "sluice.local/*"
_CACHE_FOLDERS = ("supply", "go", "images", "staging", "docker", "clusters")


async def clean(settings: Settings, root: Path, *, with_cache: bool) -> list[str]:
    """Remove our cluster, registry, images and engine; with `with_cache` also what was built. Returns what was done.

    Raises ClusterError for a cluster or container of our names that is not ours: that is left as it is.
    """
    said: list[str] = []
    name, cache = settings.cluster.name, settings.cache
    if await engine.answers():
        docker = Engine(cache / "docker")
        kind = _any_kind(Cache(cache))
        if kind and await KindCluster(docker, kind, name, cache / "clusters", cache / "clean.log").delete():
            said.append(f"removed the cluster {name}")
        if await LocalRegistry(docker, name, settings.cluster.registry_port).remove():
            said.append(f"removed the registry {name}-registry and its volume")
        listed = await docker.docker("image", "ls", "--filter", f"reference={_OURS}", "--format", "{{.Repository}}:{{.Tag}}")
        images = listed.stdout.split()
        if images:  # one that a container of somebody else uses is refused, and stays
            await docker.docker("image", "rm", *images, check=False)
            said.append(f"removed images named sluice.local/… ({len(images)} names)")
        running = (await docker.docker("ps", "--quiet")).stdout.split()
        if running:
            said.append(f"the Docker engine goes on: {len(running)} containers that are not ours run on it")
        elif await engine.stop_own_engine(cache / "docker", said.append):
            said.append("the Docker engine stays installed: apt-get purge docker.io removes it")
    staging = cache / "staging"
    if staging.exists():
        shutil.rmtree(staging)
    if with_cache and cache.exists():
        # Only the folders that we make: a cache set to a folder with other things in it keeps those.
        for name in _CACHE_FOLDERS:
            shutil.rmtree(cache / name, ignore_errors=True)
        said.append(f"removed what was built and fetched below {cache}")
    tools = root / settings.run.folder / "tools"
    if tools.exists():
        shutil.rmtree(tools)
    return said or ["nothing here was made by Sluice"]


def _any_kind(cache: Cache) -> Path | None:
    """The newest kind that was obtained; without one there can be no cluster of ours."""
    found = sorted(cache.root.glob("supply/kind/*/artifact/kind"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None
