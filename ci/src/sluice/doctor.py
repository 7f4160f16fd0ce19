"""What this host has and lacks, each line with its cure."""

import os
import platform
import shutil
from dataclasses import dataclass
from typing import Literal

from rich.table import Table

from sluice.adapters import host
from sluice.adapters.docker import engine
from sluice.adapters.docker.registry import LocalRegistry
from sluice.adapters.process import run
from sluice.settings import Settings
from sluice.supply import upstream
from sluice.supply.catalog import load_catalog


@dataclass(frozen=True)
class Finding:
    """One line: `lacks` stops a run, `short` is worked around or costs something."""

    what: str
    state: Literal["has", "short", "lacks"]
    seen: str
    cure: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything that a run needs of this host; changes nothing."""
    return [
        Finding("Python", "has", platform.python_version()),
        await _go(),
        _maven(),
        await _engine(),
        _capabilities(),
        _disk(settings),
        _memory(),
        await _port(settings),
        await _upstream(settings),
    ]


async def _go() -> Finding:
    if shutil.which("go") is None:
        return Finding(
            "Go",
            "short",
            "not on PATH",
            "install golang to build components from source; not needed where a container registry is reachable",
        )
    return Finding("Go", "has", (await run(["go", "version"], deadline_seconds=30)).stdout.split(" ")[2])


def _maven() -> Finding:
    found = shutil.which("mvn")
    if found:
        return Finding("Maven", "has", found)
    if host.is_root() and host.is_debian():
        return Finding("Maven", "short", "not on PATH", "a run that needs jars installs Debian's maven")
    return Finding("Maven", "short", "not on PATH", "nothing to do: jars are fetched in a container; maven is faster")


async def _engine() -> Finding:
    what = "container engine"
    if await engine.answers():
        done = await run(["docker", "version", "--format", "{{.Server.Version}}"], deadline_seconds=20, check=False)
        return Finding(what, "has", f"Docker {done.stdout.strip()}")
    if host.is_root() and host.is_debian():
        installed = shutil.which("dockerd") is not None
        return Finding(
            what,
            "short",
            "installed, not running" if installed else "none",
            "a run installs and starts Debian's docker.io; --no-install forbids it",
        )
    return Finding(
        what,
        "lacks",
        f"docker info fails, uid {os.geteuid()}",
        "sudo apt-get install docker.io && sudo usermod -aG docker $USER, then log in again",
    )


def _capabilities() -> Finding:
    missing = host.missing_capabilities()
    if not missing:
        return Finding("capabilities", "has", "the whole bounding set")
    return Finding(
        "capabilities",
        "short",
        f"bits {', '.join(map(str, missing))} of capabilities(7) are missing",
        "nothing to do: runc is run through capped-runc",
    )


def _disk(settings: Settings) -> Finding:
    free, floor = host.free_bytes(settings.cache) / 1e9, settings.run.disk_floor_gb
    seen = f"{free:.0f} GB free for {settings.cache}"
    if free < floor:
        return Finding(
            "disk", "lacks", seen, f"a run asks for {floor:.0f} GB: ./nox -s clean -- --cache, or SLUICE_RUN_CACHE"
        )
    return Finding("disk", "has", seen)


def _memory() -> Finding:
    total = host.memory_bytes() / 1e9
    cores = os.cpu_count() or 1
    seen = f"{total:.0f} GB, {cores} cores"
    if total < 8:
        return Finding("memory", "short", seen, "8 GB or more: building Loki and Kubernetes takes 4 GB")
    return Finding("memory", "has", seen)


async def _port(settings: Settings) -> Finding:
    port, what = settings.cluster.registry_port, "registry port"
    if host.port_is_free(port):
        return Finding(what, "has", f"{port} is free")
    own = f"{settings.cluster.name}-registry"
    if (
        await engine.answers()
        and await LocalRegistry(engine.Engine(settings.cache / "docker"), settings.cluster.name, port).runs()
    ):
        return Finding(what, "has", f"{port} is held by our own {own}")
    return Finding(
        what,
        "lacks",
        f"{port} is taken by another program",
        "SLUICE_CLUSTER_REGISTRY_PORT=5002, or registry_port under [cluster] in sluice.toml",
    )


async def _upstream(settings: Settings) -> Finding:
    what = "upstream registries"
    if settings.supply.mode == "source":
        return Finding(what, "has", "not asked: [supply] mode is source")
    by_host = {upstream.host_of(entry): entry for entry in load_catalog().values() if entry.upstream}
    silent = [name for name, entry in sorted(by_host.items()) if not await upstream.answers(entry)]
    if not silent:
        return Finding(what, "has", f"all {len(by_host)} answer")
    return Finding(
        what,
        "short",
        f"no answer from {', '.join(silent)}",
        "nothing to do: what lies there is built from source, once, in about half an hour",
    )


def table(findings: list[Finding], *, title: str = "this host") -> Table:
    """Return the findings as a table for the terminal."""
    shown = Table(title=title, title_justify="left", caption_justify="left")
    for column in ("", "what", "seen", "cure"):
        shown.add_column(column, overflow="fold")
    signs = {"has": "✓", "short": "○", "lacks": "✗"}
    for finding in findings:
        shown.add_row(signs[finding.state], finding.what, finding.seen, finding.cure)
    return shown
