"""What recipes ask of Go, pip, apt and debootstrap; the programs themselves are not run."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.core.support import FakeProgress
from tests.unit.supply.benches import bench, entry

from sluice.adapters import host
from sluice.adapters.process import Completed
from sluice.errors import HostError, SupplyError
from sluice.supply import debian, go, oci, wheels
from sluice.supply.cache import Cache
from sluice.supply.catalog import DebootstrapRecipe, FilesRecipe, GoRecipe

pytestmark = pytest.mark.anyio


class Runs:
    """Stands in for process.run: notes each call, and does what a test says."""

    def __init__(self, stdout: str = "") -> None:
        self.calls: list[tuple[list[str], dict[str, Any]]] = []
        self.stdout = stdout

    async def __call__(self, argv: Sequence[str | Path], **options: Any) -> Completed:
        words = [str(word) for word in argv]
        self.calls.append((words, options))
        if words[:2] == ["go", "build"]:
            assert (options["cwd"] / "go.mod").is_file()
            assert not list(options["cwd"].glob("*_test.go"))
            Path(words[words.index("-o") + 1]).write_text("program")
        if "--dest" in words:
            (Path(words[words.index("--dest") + 1]) / "x-1-py3-none-any.whl").write_text("wheel")
        return Completed(0, self.stdout, "")


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "artifact"
    folder.mkdir(parents=True)
    return folder


def go_recipe(text: str, folder: Path) -> tuple[Any, GoRecipe]:
    found = entry(text, folder)
    assert isinstance(found.source, GoRecipe)
    return found, found.source


async def test_a_program_is_built_without_c_paths_or_the_hosts_settings(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs()
    monkeypatch.setattr(go, "run", runs)
    one, recipe = go_recipe(
        'name = "loki"\nversion = "3.7.8"\nform = "program"\n'
        'source = { recipe = "go", module = "capped-runc", package = "./cmd/loki", versions = ["x.org/version"] }\n',
        tmp_path,
    )
    await go.build_program(one, recipe, into, bench(tmp_path / "cache"))
    [(words, options)] = runs.calls
    assert words[-1] == "./cmd/loki"
    assert "-tags" not in words
    assert words[words.index("-ldflags") + 1] == "-s -w -X x.org/version.Version=3.7.8"
    env = options["env"]
    assert env["CGO_ENABLED"] == "0"
    assert (env["GOOS"], env["GOARCH"], env["GOWORK"]) == ("linux", "amd64", "off")
    flags = {"-mod=readonly", "-modcacherw", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false"}
    assert set(env["GOFLAGS"].split()) == flags
    assert env["GOGC"] == "off"
    assert env["GOCACHE"].startswith(str(tmp_path / "cache"))
    assert env["GOMODCACHE"].startswith(str(tmp_path / "cache"))
    assert sorted(path.name for path in into.iterdir()) == ["loki"]
    assert not (into.parent / "module").exists()


def test_a_compiler_gets_its_share_of_the_hosts_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def limit(gib: int, cores: int) -> str:
        monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": gib << 18}.get)
        monkeypatch.setattr(os, "cpu_count", lambda: cores)
        return go.environment(tmp_path)["GOMEMLIMIT"]

    assert limit(24, 2) == "3072MiB"
    assert limit(64, 16) == "1024MiB"
    assert limit(8, 8) == "512MiB"


async def test_kubernetes_is_stamped_as_its_own_build_does(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs()
    monkeypatch.setattr(go, "run", runs)
    one, recipe = go_recipe(
        'name = "kubernetes"\nversion = "1.34.2"\nform = "program"\n'
        'source = { recipe = "go", module = "pause", package = ".", versions = ["k8s.io/component-base/version"] }\n',
        tmp_path,
    )
    await go.build_program(one, recipe, into, bench(tmp_path))
    flags = runs.calls[0][0][runs.calls[0][0].index("-ldflags") + 1]
    for stamped in ("gitVersion=v1.34.2", "gitMajor=1", "gitMinor=34", "gitTreeState=clean"):
        assert f"-X k8s.io/component-base/version.{stamped}" in flags


async def test_dapr_is_built_with_its_tags_and_stamped_as_its_own_build_does(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs()
    monkeypatch.setattr(go, "run", runs)
    one, recipe = go_recipe(
        'name = "daprd"\nversion = "1.16.0"\nform = "program"\n'
        'source = { recipe = "go", module = "pause", package = ".", tags = ["a", "b"], '
        'versions = ["github.com/dapr/dapr/pkg/buildinfo", "github.com/dapr/kit/logger"] }\n',
        tmp_path,
    )
    await go.build_program(one, recipe, into, bench(tmp_path))
    words = runs.calls[0][0]
    assert words[words.index("-tags") + 1] == "a,b"
    flags = words[words.index("-ldflags") + 1]
    assert "-X github.com/dapr/dapr/pkg/buildinfo.version=1.16.0" in flags
    assert "-X github.com/dapr/kit/logger.DaprVersion=1.16.0" in flags


@pytest.mark.parametrize(
    ("package", "stamped"),
    [
        ("sigs.k8s.io/release-utils/version", "sigs.k8s.io/release-utils/version.gitVersion=v3.1.3"),
        ("main", "main.version=3.1.3"),
    ],
)
async def test_what_a_release_is_made_with_is_stamped_as_its_own_build_does(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch, package: str, stamped: str
) -> None:
    runs = Runs()
    monkeypatch.setattr(go, "run", runs)
    one, recipe = go_recipe(
        'name = "cosign"\nversion = "3.1.3"\nform = "program"\n'
        f'source = {{ recipe = "go", module = "pause", package = ".", versions = ["{package}"] }}\n',
        tmp_path,
    )
    await go.build_program(one, recipe, into, bench(tmp_path))
    words = runs.calls[0][0]
    assert words[words.index("-ldflags") + 1] == f"-s -w -X {stamped}"


async def test_a_program_with_an_image_becomes_a_layout(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(go, "run", Runs())
    one, recipe = go_recipe(
        'name = "loki"\nversion = "1"\nform = "image"\n'
        'source = { recipe = "go", module = "pause", package = ".", image = { path = "/bin/loki", user = "1" } }\n',
        tmp_path,
    )
    await go.build_program(one, recipe, into, bench(tmp_path))
    assert sorted(path.name for path in into.iterdir()) == ["oci"]
    assert len(oci.layout_layers(into / "oci")) == 1


async def test_a_module_that_is_not_there_is_told(tmp_path: Path, into: Path) -> None:
    one, recipe = go_recipe(
        'name = "a"\nversion = "1"\nform = "program"\nsource = { recipe = "go", module = "gone", package = "." }\n',
        tmp_path,
    )
    with pytest.raises(SupplyError, match="no Go module named gone"):
        await go.build_program(one, recipe, into, bench(tmp_path))


async def test_without_go_the_cure_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="no Go toolchain"):
        await go.toolchain()


def test_tests_are_no_input_of_a_build() -> None:
    names = [file.name for file in go.inputs("capped-runc")]
    assert "main.go" in names
    assert not [name for name in names if name.endswith("_test.go")]


@pytest.mark.parametrize(("path", "expected"), [("crds", ["a.yaml", "b.yaml"]), ("crds/a.yaml", ["a.yaml"])])
async def test_files_are_copied_out_of_a_module(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch, path: str, expected: list[str]
) -> None:
    module = tmp_path / "module"
    (module / "crds").mkdir(parents=True)
    for name in ("a.yaml", "b.yaml"):
        (module / "crds" / name).write_text(name)
    monkeypatch.setattr(go, "run", Runs(json.dumps({"Dir": str(module)})))
    one = entry(
        f'name = "a"\nversion = "1"\nform = "files"\n'
        f'source = {{ recipe = "files", module = "pause", of = "x", path = "{path}" }}\n', tmp_path
    )  # fmt: skip
    assert isinstance(one.source, FilesRecipe)
    await go.copy_files(one, one.source, into, bench(tmp_path))
    assert sorted(file.name for file in (into / "files").iterdir()) == expected
    gone = one.source.model_copy(update={"path": "gone"})
    with pytest.raises(SupplyError, match="x carries no gone") as caught:
        await go.copy_files(one, gone, into, bench(tmp_path))
    assert caught.value.seen == "crds"


async def test_wheels_are_what_the_lock_names_by_hash_for_the_images_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs()
    monkeypatch.setattr(wheels, "run", runs)
    lock = tmp_path / "backend" / "requirements.lock"
    lock.parent.mkdir()
    lock.write_text("x==1 --hash=sha256:1")
    cache, progress = Cache(tmp_path / "cache"), FakeProgress()
    first = await wheels.wheelhouse(lock, cache, progress, tmp_path / "logs")
    assert [file.name for file in first.iterdir()] == ["x-1-py3-none-any.whl"]
    [(words, _)] = runs.calls
    line = " ".join(words)
    for part in ("-m pip download", "--no-deps", "--only-binary :all:", "--require-hashes", f"--requirement {lock}",
                 "--python-version 3.11", "--platform manylinux2014_x86_64"):  # fmt: skip
        assert part in line
    assert await wheels.wheelhouse(lock, cache, progress, tmp_path / "logs") == first
    assert len(runs.calls) == 1
    lock.write_text("x==2 --hash=sha256:2")
    assert await wheels.wheelhouse(lock, cache, progress, tmp_path / "logs") != first
    assert len(runs.calls) == 2
    assert progress.ended == [("wheels of backend", "done", "")] * 2


APT = """\
bookworm http://mirror.example/debian
bookworm http://mirror.example/debian
bookworm https://z.example/debian
bookworm-updates http://mirror.example/debian
bookworm-security http://mirror.example/debian-security
bookworm-backports http://mirror.example/debian
trixie http://mirror.example/debian
stable https://other.example/packages
"""


def test_mirrors_are_those_of_the_suite_its_updates_and_its_security() -> None:
    assert debian.mirrors_in(APT, "bookworm") == {
        "bookworm": ["http://mirror.example/debian", "https://z.example/debian"],
        "bookworm-updates": ["http://mirror.example/debian"],
        "bookworm-security": ["http://mirror.example/debian-security"],
    }


@pytest.mark.parametrize("text", ["", "noble http://ubuntu.example/ubuntu\n", "\n\n"])
def test_a_host_of_another_suite_has_no_mirror_for_ours(text: str) -> None:
    assert debian.mirrors_in(text, "bookworm") == {"bookworm": []}


@pytest.mark.parametrize(("root", "seen"), [(False, "not root"), (True, "root")])
async def test_debian_is_made_as_root_on_debian_only(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch, *, root: bool, seen: str
) -> None:
    monkeypatch.setattr(host, "is_root", lambda: root)
    monkeypatch.setattr(host, "is_debian", lambda: not root)
    one = entry(
        'name = "debian"\nversion = "12"\nform = "base"\nsource = { recipe = "debootstrap", suite = "bookworm" }\n',
        tmp_path,
    )
    assert isinstance(one.source, DebootstrapRecipe)
    with pytest.raises(HostError, match="cannot be made from Debian's packages here") as caught:
        await debian.bootstrap(one, one.source, into, bench(tmp_path))
    assert caught.value.seen == seen


def test_our_sources_lie_in_their_module_as_they_lie_in_its_folder(into: Path) -> None:
    with go._Module("tools", into) as folder:
        assert (folder / "go.mod").is_file()
        assert (folder / "coredns" / "main.go").is_file()
    assert not folder.exists()
