"""The recipe on Maven Central: a component's jars, as mvn resolves them, each held to its SHA-256.

maven/<module>/pom.xml    what the component is made of, by exact versions; the pom's own version is the component's
               jars.lock  everything that this resolves to: `group:artifact:version sha256`, one jar a line
mvn reads the user's settings.xml, for mirrors and proxies; its repository lies in the cache.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import anyio

from sluice.adapters import host
from sluice.adapters.docker.engine import install_packages
from sluice.adapters.process import run
from sluice.errors import CommandFailed, DigestMismatch, HostError, SupplyError, Unreachable
from sluice.supply.catalog import Entry, MavenRecipe
from sluice.supply.debian import IMAGES, build_context
from sluice.supply.workbench import Workbench, in_engine

Container = Callable[[], Awaitable[list[str | Path]]]

MODULES = Path(__file__).with_name("maven")
POM, LOCK, JARS = "pom.xml", "jars.lock", "jars"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_SECONDS = 900
_LINE = re.compile(r"(?P<jar>[^\s:]+:[^\s:]+:[^\s:]+) (?P<sha256>[0-9a-f]{64})")
_SETTINGS = Path.home() / ".m2" / "settings.xml"
# Arguments: the owner of what is written, the two folders that are written to, the command.
_IN_CONTAINER = """
owner=$1 repository=$2 fetched=$3
shift 3
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends maven ca-certificates
status=0
"$@" || status=$?
chown -R "$owner" "$repository" "$fetched"
exit $status
"""
_SAID = re.compile(r"Downloaded from .*/(\S+) ")
_CAUSE = re.compile(r"(Could not (find|transfer) artifact|Checksum validation failed)[^\n]*")


def inputs(module: str) -> list[Path]:
    """Return the files that decide which jars a module is made of, for the cache key."""
    return [file for name in (POM, LOCK) if (file := MODULES / module / name).is_file()]


async def build_image(entry: Entry, recipe: MavenRecipe, into: Path, bench: Workbench) -> None:
    """Build images/<folder>/Dockerfile on its base with the module's jars in the context's folder `jars`.

    Raises SupplyError where a jar is missing, not in the lock, or not what the lock says; what the image build raises.
    """
    context, fetched = into.parent / "context", into.parent / "fetched"
    shutil.copytree(IMAGES / recipe.folder, context)
    repository = _repository(recipe.module, bench.cache_root)

    async def container() -> list[str | Path]:
        """Where this host has no mvn and may not install one, the base image does, for as long as it takes."""
        base = await in_engine(await bench.engine(), bench.parts[recipe.base])
        mounts = [(repository, repository, ""), (fetched, fetched, ""), (_SETTINGS, "/root/.m2/settings.xml", ":ro")]
        volumes = [f"--volume={here}:{there}{how}" for here, there, how in mounts if Path(here).exists()]
        return [
            *("docker", "run", "--rm", "--network=host", *volumes, base, "sh", "-euc", _IN_CONTAINER, "sh"),
            *(f"{os.getuid()}:{os.getgid()}", repository, fetched),
        ]

    found = await _fetch(recipe.module, repository, fetched, bench.log, bench.say, container)
    await anyio.to_thread.run_sync(_check, recipe.module, found, repository)
    (context / JARS).mkdir()
    for name, jar in found.items():
        _, artifact, version = name.split(":")
        jar.rename(context / JARS / f"{artifact}-{version}.jar")
    await build_context(entry, recipe.base, context, into, bench)
    for folder in (context, fetched):  # what lies beside the artifact is kept with it
        shutil.rmtree(folder)


async def refresh_lock(module: str, cache_root: Path, log: Path, say: Callable[[str], None]) -> Path:
    """Write a module's jars.lock anew from what its pom resolves to now, and return it."""
    repository = _repository(module, cache_root)
    work = repository.with_name(f"{module}.refresh")
    try:
        found = await _fetch(module, repository, work, log, say)
        lines = [f"{name} {_sha256(jar)}\n" for name, jar in sorted(found.items())]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    lock = MODULES / module / LOCK
    lock.write_text("".join(lines), encoding="utf-8")
    return lock


def _repository(module: str, cache_root: Path) -> Path:
    """mvn's own store; one for each module, since two programs must not write to the same one."""
    return cache_root / "maven" / module


async def _fetch(
    module: str, repository: Path, into: Path, log: Path, say: Callable[[str], None], container: Container | None = None
) -> dict[str, Path]:
    """Let mvn copy what the pom resolves to, and return the jars by `group:artifact:version`.

    What its repository holds already is not asked for again, so that a second time needs no network.
    """
    if not (MODULES / module / POM).is_file():
        raise SupplyError(
            f"no jars are pinned for {module}",
            seen=f"no maven/{module}/{POM}",
            expected=", ".join(sorted(folder.name for folder in MODULES.iterdir())),
            next_command="mend `module` of the component in catalog.toml",
        )
    shutil.rmtree(into, ignore_errors=True)
    for folder in (into, repository):
        folder.mkdir(parents=True, exist_ok=True)
    prefix = await _place_for_mvn(log, say, container)
    pom = shutil.copyfile(MODULES / module / POM, into / POM)  # mvn writes beside it
    target = into / "layout"
    try:
        await run(
            # Updates: what could not be had a moment ago is asked for again; what is there is not.
            [*prefix, "mvn", "--batch-mode", "--strict-checksums", "--update-snapshots", "--file", pom,
             f"-Dmaven.repo.local={repository}", f"{_PLUGIN}:copy-dependencies", "-DincludeScope=runtime",
             "-Dmdep.useRepositoryLayout=true", f"-DoutputDirectory={target}"],
            deadline_seconds=_SECONDS, log=log, on_line=lambda line: _tell(line, say), what=f"fetching {module}'s jars",
        )  # fmt: skip
    except CommandFailed as error:
        raise _explained(module, error) from None
    return {_name(jar.relative_to(target)): jar for jar in sorted(target.rglob("*.jar"))}


async def _place_for_mvn(log: Path, say: Callable[[str], None], container: Container | None) -> list[str | Path]:
    """Return the words that mvn is to be started with: none on this host, which gets one where it may."""
    if shutil.which("mvn"):
        return []
    if host.is_root() and host.is_debian():
        say("installing maven")
        await install_packages("maven", log=log)
        return []
    if container:
        say("no mvn on this host: it runs in a container")
        return await container()
    raise HostError(
        "no mvn, which resolves jars",
        seen="no mvn on PATH",
        expected="Maven 3.8 or newer",
        next_command="install maven, then run this again",
    )


def _tell(line: str, say: Callable[[str], None]) -> None:
    if said := _SAID.search(line):
        say(said[1])


def _name(path: Path) -> str:
    """`group:artifact:version` of a path in a repository's layout (group/parts/artifact/version/file)."""
    *group, artifact, version, _ = path.parts
    return f"{'.'.join(group)}:{artifact}:{version}"


def _explained(module: str, error: CommandFailed) -> SupplyError:
    """What mvn says at length, as one line of ours."""
    causes = [match[0].strip() for match in _CAUSE.finditer(error.seen)]
    seen = causes[0] if causes else error.seen
    if "transfer artifact" in seen and "status code: 4" not in seen and "hecksum" not in seen:
        return Unreachable(
            f"the jars of {module} cannot be fetched", seen=seen, expected="an answer of a Maven repository",
            next_command="run this again, or look at the mirrors and proxies of ~/.m2/settings.xml",
        )  # fmt: skip
    return SupplyError(
        f"the jars of {module} cannot be fetched", seen=seen, expected=f"all that maven/{module}/{POM} names",
        next_command=error.next_command,
    )  # fmt: skip


def _check(module: str, found: Mapping[str, Path], repository: Path) -> None:
    """Hold the jars to the lock: each there, none besides, all of the right content."""
    locked = _read_lock(module)
    again = f"./nox -s supply -- --lock-jars {module}  if the change is meant; nothing was kept"
    for what, names, expected in (
        ("resolves to a jar that is not locked", found.keys() - locked.keys(), "only what the lock names"),
        ("lacks a jar that is locked", locked.keys() - found.keys(), "every jar of the lock"),
    ):
        if names:
            raise SupplyError(
                f"maven/{module}/{POM} {what}", seen=", ".join(sorted(names)), expected=expected, next_command=again
            )
    for name, jar in found.items():
        if (seen := _sha256(jar)) != locked[name]:
            group, artifact, version = name.split(":")
            # Out of mvn's store too, or every further try would meet it again.
            shutil.rmtree(repository.joinpath(*group.split("."), artifact, version), ignore_errors=True)
            raise DigestMismatch(
                f"{name} is not the jar that was locked", seen=seen, expected=locked[name], next_command=again
            )


def _read_lock(module: str) -> dict[str, str]:
    lock = MODULES / module / LOCK
    lines = lock.read_text(encoding="utf-8").splitlines() if lock.is_file() else []
    entries = [_LINE.fullmatch(line) for line in lines]
    locked = {entry["jar"]: entry["sha256"] for entry in entries if entry}
    if not locked or len(locked) != len(lines):
        bad = next((line for line, entry in zip(lines, entries, strict=True) if not entry), "no line, or one twice")
        raise SupplyError(
            f"maven/{module}/{LOCK} cannot be used",
            seen=bad,
            expected="group:artifact:version sha256, a jar a line",
            next_command=f"./nox -s supply -- --lock-jars {module}",
        )
    return locked


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
