"""Recipes on Debian's packages: a minimal system, and images on top of it."""

import shutil
from pathlib import Path

import anyio

from sluice.adapters import host
from sluice.adapters.docker.engine import install_packages
from sluice.adapters.process import run
from sluice.errors import HostError
from sluice.supply import oci
from sluice.supply.catalog import DebianRecipe, DebootstrapRecipe, Entry
from sluice.supply.workbench import Workbench, in_engine

IMAGES = Path(__file__).with_name("images")
_BUILD_SECONDS = 1200
_UNNEEDED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "var/lib/apt/lists",
    "var/cache/apt",
    "var/cache/debconf",
    "var/log",
)


def inputs(folder: str) -> list[Path]:
    """Return the files that an image is built from, for the cache key."""
    return sorted(file for file in (IMAGES / folder).rglob("*") if file.is_file())


async def bootstrap(entry: Entry, recipe: DebootstrapRecipe, into: Path, bench: Workbench) -> None:
    """Make a minimal Debian with debootstrap and write it as `into/image.tar`."""
    if not host.is_root() or not host.is_debian():
        raise HostError(
            f"{entry.name} cannot be made from Debian's packages here",
            seen="root" if host.is_root() else "not root",
            expected="root on Debian or Ubuntu (debootstrap needs both)",
            next_command="./nox -s e2e -- --supply upstream  where a container registry is reachable",
        )
    if shutil.which("debootstrap") is None:
        bench.say("installing debootstrap")
        await install_packages("debootstrap", log=bench.log)
    mirrors = await _mirrors(recipe.suite, bench)
    root = into.parent / "root"
    bench.say("debootstrap")
    await run(
        ["debootstrap", "--variant=minbase", recipe.suite, root, *mirrors[recipe.suite][:1]],
        deadline_seconds=_BUILD_SECONDS,
        log=bench.log,
        what="debootstrap",
        on_line=lambda line: bench.say(line.removeprefix("I: ")),
    )
    lines = [f"deb {uri} {suite} main" for suite, uris in mirrors.items() for uri in uris[:1]]
    if lines:
        (root / "etc/apt/sources.list").write_text("\n".join(lines) + "\n")
    for name in _UNNEEDED:
        for child in (root / name).glob("*"):
            shutil.rmtree(child, ignore_errors=True) if child.is_dir() else child.unlink()
    # What starts a daemon while a package is installed has nobody to start it for.
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    tar = into / "root.tar"
    await run(
        ["tar", "--create", "--file", tar, "--directory", root, "--sort=name", "--numeric-owner", "--xattrs", "."],
        deadline_seconds=300,
        log=bench.log,
    )
    layer = await anyio.to_thread.run_sync(oci.layer_of, tar)
    tagged = oci.Tagged([], oci.configuration([layer], []), [layer])
    await anyio.to_thread.run_sync(oci.write_archive, into / "image.tar", [tagged])
    tar.unlink()
    shutil.rmtree(root)


async def _mirrors(suite: str, bench: Workbench) -> dict[str, list[str]]:
    """The mirrors that this host's apt uses, by suite; debootstrap's own default where apt tells none."""
    done = await run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Identifier: Packages"],
        deadline_seconds=60,
        check=False,
        log=bench.log,
    )
    return mirrors_in(done.stdout, suite)


def mirrors_in(targets: str, suite: str) -> dict[str, list[str]]:
    """Return the addresses by release (the suite, its updates, its security) from lines of `release address`."""
    found: dict[str, list[str]] = {suite: []}
    for line in sorted(set(targets.splitlines())):
        release, _, uri = line.partition(" ")
        if release in (suite, f"{suite}-updates", f"{suite}-security"):
            found.setdefault(release, []).append(uri)
    return found


async def build_image(entry: Entry, recipe: DebianRecipe, into: Path, bench: Workbench) -> None:
    """Build images/<folder>/Dockerfile on its base; `into/oci` for an image, `into/image.tar` for a base."""
    await build_context(entry, recipe.base, IMAGES / recipe.folder, into, bench)


async def build_context(entry: Entry, base: str, context: Path, into: Path, bench: Workbench) -> None:
    """Build the Dockerfile of a context on the component `base`, and put the image where its form has it."""
    engine = await bench.engine()
    tag = f"sluice.local/{entry.name}:building"
    await engine.docker(
        # The host's network lets apt reach the mirrors that the host reaches.
        "build",
        "--network",
        "host",
        "--build-arg",
        f"BASE={await in_engine(engine, bench.parts[base])}",
        "--tag",
        tag,
        context,
        deadline_seconds=_BUILD_SECONDS,
        log=bench.log,
        on_line=bench.say,
        what=f"building the image {entry.name}",
    )
    saved = into / "image.tar"
    await engine.docker("save", "--output", saved, tag, deadline_seconds=600, what=f"saving the image {entry.name}")
    await anyio.to_thread.run_sync(untagged, saved, into, entry.form == "image")


def untagged(saved: Path, into: Path, as_layout: bool) -> None:
    """Rewrite a saved image without its passing tag: as a layout for registries or as an archive for engines."""
    parts = into.parent / "layers"
    config, layers = oci.unpack_archive(saved, parts)
    saved.unlink()
    if as_layout:
        oci.write_layout(into / "oci", config, layers)
    else:
        oci.write_archive(saved, [oci.Tagged([], config, layers)])
    shutil.rmtree(parts)
