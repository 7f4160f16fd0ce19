"""How much room on disk a run asks for before it begins."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from sluice.adapters import host
from sluice.domain import Component
from sluice.errors import HostError
from sluice.settings import Settings
from sluice.supply.catalog import Entry

# What [run] disk_floor_gb asks for is room to build components and to fill a cluster. One that is kept has its images,
# and takes the services' anew at most: the gate lets none have more than 300 MB (release/policy.toml, image-size), they
# share all layers but their own, and each lies in the engine, in the registry, and packed and unpacked in the node,
# 1.2 GB. The run's folder has 80 MB at most; the rest is for what databases, Prometheus and Loki write meanwhile.
KEPT_GB = 5.0


def is_kept(kubeconfig: Path, cached: Iterable[Component], catalog: Mapping[str, Entry]) -> bool:
    """Whether there is a cluster, and nothing to build for it: what was obtained for it has the catalog's versions.

    That its node image fits is not asked: one that is made anew takes the room of the one before it.
    """
    at_hand = all(catalog[one.name].version == one.version for one in cached)
    return at_hand and kubeconfig.exists()


def check_disk(settings: Settings, *, kept: bool) -> None:
    """Raise HostError where the cache has too little room: less than the settings' floor, or KEPT_GB if it is less."""
    floor, free = settings.run.disk_floor_gb, host.free_bytes(settings.cache) / 1e9
    floor = min(floor, KEPT_GB) if kept else floor
    if free < floor:
        raise HostError(
            "too little room on disk",
            seen=f"{free:.1f} GB free below {settings.cache}",
            expected=f"{floor:.0f} GB{' for a cluster that is kept' if kept else ''}",
            next_command="./nox -s clean -- --cache, or SLUICE_RUN_CACHE=<a larger disk>",
        )
