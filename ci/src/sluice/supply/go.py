"""Recipes on the Go module proxy: programs, images made of one program, files that a module carries."""

import json
import os
import shutil
from pathlib import Path

import anyio

from sluice.adapters import host
from sluice.adapters.process import run
from sluice.errors import HostError, SupplyError
from sluice.supply import oci
from sluice.supply.catalog import Entry, FilesRecipe, GoRecipe
from sluice.supply.workbench import Workbench

_HERE = Path(__file__).parent
_BUILD_SECONDS = 2400
_DOWNLOAD_SECONDS = 900


def inputs(module: str) -> list[Path]:
    """Return the files that a module's build depends on, for the cache key; tests are not among them."""
    folders = [_HERE / "gomod" / module, _HERE / "gosrc" / module]
    found = (file for folder in folders if folder.is_dir() for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in found if not file.name.endswith("_test.go"))


def environment(cache_root: Path) -> dict[str, str]:
    """Return Go's settings: caches of our own, nothing of the host's flags, no C compiler.

    The rest is for speed, a third of a build's time together: the linker drops debugging data (-s -w), so none is
    made; and a compiler lives for a second, so it collects garbage only where memory runs short (docs of runtime,
    GOGC and GOMEMLIMIT).
    """
    go = cache_root / "go"
    return {
        "GOCACHE": str(go / "build"),
        "GOMODCACHE": str(go / "mod"),
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": "amd64",
        "GOWORK": "off",
        "GOFLAGS": "-mod=readonly -modcacherw -trimpath -buildvcs=false -gcflags=all=-dwarf=false",
        "GOGC": "off",
        "GOMEMLIMIT": f"{_compiler_memory() >> 20}MiB",
    }


def _compiler_memory() -> int:
    """Bytes that one of Go's programs may fill: a quarter of the host's memory, shared by as many as it has cores."""
    return max(host.memory_bytes() // 4 // (os.cpu_count() or 1), 512 << 20)


async def toolchain() -> str:
    """Return what `go version` says; it is part of every key. Raises HostError where there is no Go."""
    if shutil.which("go") is None:
        raise HostError(
            "no Go toolchain",
            seen="no go on PATH",
            expected="Go 1.24 or newer, to build components from source",
            next_command="install golang, or use --supply upstream where a container registry is reachable",
        )
    return (await run(["go", "version"], deadline_seconds=30)).stdout.strip()


async def fetch_modules(cache_root: Path) -> None:
    """Fetch what our own programs and their tests import into `environment`'s caches. Raises CommandFailed."""
    for module in sorted((_HERE / "gosrc").glob("*/go.mod")):
        await run(
            ["go", "list", "-deps", "-test", "."],
            deadline_seconds=_DOWNLOAD_SECONDS,
            cwd=module.parent,
            env=environment(cache_root),
            what=f"fetching what {module.parent.name} imports",
        )


async def build_program(entry: Entry, recipe: GoRecipe, into: Path, bench: Workbench) -> None:
    """Build the program into `into/<name>`, and its image layout into `into/oci` where the recipe says so."""
    target = into / entry.name
    with _Module(recipe.module, into) as folder:
        flags = ["-s", "-w", *(flag for package in recipe.versions for flag in _version_flags(package, entry.version))]
        tags = ["-tags", ",".join(recipe.tags)] if recipe.tags else []
        compiled = 0

        def seen(line: str) -> None:
            nonlocal compiled
            compiled += 1
            bench.say(line if line.startswith("go: ") else f"{compiled} packages, {line}")

        await run(
            ["go", "build", "-v", *tags, "-ldflags", " ".join(flags), "-o", target, recipe.package],
            cwd=folder,
            env=environment(bench.cache_root),
            deadline_seconds=_BUILD_SECONDS,
            log=bench.log,
            on_line=seen,
            what=f"building {entry.name} {entry.version}",
        )
    if recipe.image:
        await anyio.to_thread.run_sync(_write_image, target, recipe.image.path, recipe.image.user, into)
        target.unlink()


def _write_image(program: Path, path: str, user: str, into: Path) -> None:
    layer = oci.write_layer(into / "layer.tar", {path: program})
    oci.write_layout(into / "oci", oci.configuration([layer], [path], user), [layer])
    layer.path.unlink()


async def copy_files(entry: Entry, recipe: FilesRecipe, into: Path, bench: Workbench) -> None:
    """Copy a file or a folder out of a module into `into/files`."""
    with _Module(recipe.module, into) as folder:
        done = await run(
            ["go", "mod", "download", "-json", recipe.of],
            cwd=folder,
            deadline_seconds=_DOWNLOAD_SECONDS,
            env=environment(bench.cache_root),
            log=bench.log,
            what=f"downloading {recipe.of}",
        )
    module = Path(json.loads(done.stdout)["Dir"])
    source = module / recipe.path
    if not source.exists():
        raise SupplyError(
            f"{entry.name}: {recipe.of} carries no {recipe.path}",
            seen=", ".join(sorted(os.listdir(module)))[:300],
            expected=recipe.path,
            next_command="mend `path` of the component in catalog.toml",
        )
    target = into / "files"
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        target.mkdir()
        shutil.copy2(source, target)


class _Module:
    """A folder with a module's go.mod, go.sum and our own sources, if any, for as long as a command runs in it."""

    def __init__(self, module: str, into: Path) -> None:
        self._files = {file: _place(file, module) for file in inputs(module)}
        self._folder = into.parent / "module"
        if not self._files:
            raise SupplyError(
                f"no Go module named {module}",
                seen="neither gomod/ nor gosrc/ has such a folder",
                expected="a go.mod",
                next_command="mend `module` of the component in catalog.toml",
            )

    def __enter__(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        for file, place in self._files.items():
            target = self._folder / place
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)
        return self._folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _place(file: Path, module: str) -> Path:
    """Where a file lies in its module, whose go.mod may be kept apart from our sources."""
    home = next(
        folder for folder in (_HERE / "gomod" / module, _HERE / "gosrc" / module) if file.is_relative_to(folder)
    )
    return file.relative_to(home)


def _version_flags(package: str, version: str) -> list[str]:
    """What each project's own build stamps into its programs; without it they call themselves unknown."""
    if package.endswith(("component-base/version", "client-go/pkg/version")):
        major, minor, *_ = version.split(".")
        values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    elif package == "sigs.k8s.io/release-utils/version":
        values = {"gitVersion": f"v{version}"}
    elif package == "main" or package.startswith("github.com/dapr/"):
        values = {"DaprVersion" if package.endswith("logger") else "version": version}
    else:
        values = {"Version": version}
    return [word for name, value in values.items() for word in ("-X", f"{package}.{name}={value}")]
