"""Jars from Maven: what mvn is asked for, and that only what the lock names, byte for byte, gets into an image."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.core.support import FakeEngine
from tests.unit.supply.benches import Bench, bench

from sluice.adapters import host
from sluice.adapters.docker.engine import Engine
from sluice.adapters.process import Completed
from sluice.domain import Component
from sluice.errors import CommandFailed, DigestMismatch, HostError, SupplyError, Unreachable
from sluice.supply import debian, maven
from sluice.supply.catalog import Entry, MavenRecipe, load_catalog
from sluice.supply.workbench import Workbench

pytestmark = pytest.mark.anyio
JARS = {"org.example:one:1.0": "first", "org.example.deep:two:2": "second"}
CATALOG = """
[[component]]
name = "kafka"
version = "1"
form = "image"
source = { recipe = "maven", module = "kafka", folder = "kafka", base = "debian" }

[[component]]
name = "debian"
version = "1"
form = "base"
source = { recipe = "debootstrap", suite = "x" }
"""


def lock_of(jars: dict[str, str]) -> str:
    return "".join(f"{name} {hashlib.sha256(text.encode()).hexdigest()}\n" for name, text in sorted(jars.items()))


class Rig:
    """A module with a lock, an mvn that copies the jars of a test, and an image build that keeps its context."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.module = folder / "maven" / "kafka"
        self.jars = dict(JARS)
        self.calls: list[list[str]] = []
        self.fails = ""
        self.context: dict[str, str] = {}
        for file, text in {
            self.module / "pom.xml": "<project/>",
            self.module / "jars.lock": lock_of(JARS),
            folder / "images/kafka/Dockerfile": "FROM x",
        }.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        monkeypatch.setattr(maven, "MODULES", folder / "maven")
        monkeypatch.setattr(maven, "IMAGES", folder / "images")
        monkeypatch.setattr(maven, "run", self._run)
        monkeypatch.setattr(maven, "build_context", self._build)
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")

    async def make(self) -> None:
        """Make the image, as a new run does."""
        into = self.folder / f"work-{len(self.calls)}" / "artifact"
        into.mkdir(parents=True)
        (self.folder / "catalog.toml").write_text(CATALOG)
        found = load_catalog(self.folder / "catalog.toml")["kafka"]
        assert isinstance(found.source, MavenRecipe)
        parts = {"debian": Component("debian", "1", "source", "sha256:0", str(self.folder), 1, 1.0)}
        made = replace(bench(self.folder / "cache", parts), engine=self._engine)
        await maven.build_image(found, found.source, into, made)

    async def _engine(self) -> Engine:
        return FakeEngine(self.folder / "engine")

    async def _run(self, argv: Sequence[str | Path], **options: Any) -> Completed:
        words = [str(word) for word in argv]
        self.calls.append(words)
        if self.fails:
            raise CommandFailed("mvn failed", status=1, seen=self.fails, next_command="read the log")
        options["on_line"]("Downloaded from central: https://repo.example/one-1.0.jar (5 kB at 1 MB/s)")
        assert Path(words[words.index("--file") + 1]).read_text() == "<project/>"
        option = {word.partition("=")[0]: word.partition("=")[2] for word in words}
        for name, text in self.jars.items():
            group, artifact, version = name.split(":")
            below = Path(*group.split("."), artifact, version)
            for root in (option["-DoutputDirectory"], option["-Dmaven.repo.local"]):
                jar = Path(root) / below / f"{artifact}-{version}.jar"
                jar.parent.mkdir(parents=True, exist_ok=True)
                jar.write_text(text)
        return Completed(0, "", "")

    async def _build(self, one: Entry, base: str, context: Path, into: Path, bench: Workbench) -> None:
        assert base == "debian"
        files = (path for path in context.rglob("*") if path.is_file())
        self.context = {str(path.relative_to(context)): path.read_text() for path in files}


def without_mvn(monkeypatch: pytest.MonkeyPatch, *, root: bool) -> None:
    """A host without mvn: as root on Debian, or neither."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(host, "is_root", lambda: root)
    monkeypatch.setattr(host, "is_debian", lambda: root)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path, monkeypatch)


async def test_the_locked_jars_stand_beside_the_dockerfile(rig: Rig) -> None:
    await rig.make()
    assert rig.context == {"Dockerfile": "FROM x", "jars/one-1.0.jar": "first", "jars/two-2.jar": "second"}


async def test_mvn_works_in_the_cache_with_a_pinned_plugin_and_no_address_of_ours(rig: Rig) -> None:
    await rig.make()
    [words] = rig.calls
    assert words[0] == "mvn"
    assert any(word.startswith(f"-Dmaven.repo.local={rig.folder / 'cache'}") for word in words)
    assert any(word.startswith("org.apache.maven.plugins:maven-dependency-plugin:3.") for word in words)
    assert "--strict-checksums" in words
    assert "http" not in " ".join(words)
    assert not any("settings" in word for word in words), "the user's settings.xml must be read"


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"org.example:one:1.0": "forged"}, DigestMismatch, "org.example:one:1.0 is not the jar that was locked"),
        ({"org.example:three:3": "new"}, SupplyError, "resolves to a jar that is not locked"),
        ({"org.example:one:1.0": None}, SupplyError, "lacks a jar that is locked"),
    ],
)
async def test_a_jar_that_is_wrong_missing_or_extra_is_told_and_builds_nothing(
    rig: Rig, change: dict[str, str | None], error: type[SupplyError], said: str
) -> None:
    rig.jars = {name: text for name, text in {**JARS, **change}.items() if text is not None}
    with pytest.raises(error, match=said) as caught:
        await rig.make()
    assert "--lock-jars kafka" in caught.value.next_command
    assert next(iter(change)) in str(caught.value)
    assert rig.context == {}


async def test_a_jar_that_was_wrong_is_fetched_anew_by_the_next_run(rig: Rig) -> None:
    rig.jars["org.example:one:1.0"] = "forged"
    with pytest.raises(DigestMismatch):
        await rig.make()
    repository = rig.folder / "cache" / "maven" / "kafka"
    assert not (repository / "org/example/one/1.0").exists()
    assert (repository / "org/example/deep/two/2").exists()


@pytest.mark.parametrize(
    ("mvn", "error", "seen"),
    [
        (
            "[ERROR] Could not transfer artifact a:b:pom:1 from/to central (https://r): Connect timed out\n[ERROR]",
            Unreachable,
            "Could not transfer artifact a:b:pom:1",
        ),
        ("[ERROR] Could not transfer artifact a:b:jar:1: status code: 403, Forbidden", SupplyError, "status code: 403"),
        ("[ERROR] Could not find artifact a:b:jar:1 in central\n[ERROR] [Help 1]", SupplyError, "a:b:jar:1 in central"),
        ("java: no such thing", SupplyError, "java: no such thing"),
    ],
)
async def test_what_mvn_says_is_told_by_its_cause(rig: Rig, mvn: str, error: type[SupplyError], seen: str) -> None:
    rig.fails = mvn
    with pytest.raises(SupplyError) as caught:
        await rig.make()
    assert type(caught.value) is error
    assert seen in caught.value.seen
    assert "[Help 1]" not in caught.value.seen


@pytest.mark.parametrize("lock", [None, "", "org.example:one:1.0", f"a:b:1 {'0' * 64}\na:b:1 {'1' * 64}\n"])
async def test_a_lock_that_cannot_be_used_is_told(rig: Rig, lock: str | None) -> None:
    path = rig.module / "jars.lock"
    path.unlink() if lock is None else path.write_text(lock)
    with pytest.raises(SupplyError, match=r"maven/kafka/jars.lock cannot be used"):
        await rig.make()


async def test_the_lock_is_written_anew_from_what_the_pom_resolves_to(rig: Rig) -> None:
    rig.jars["org.example:three:3"] = "new"
    said: list[str] = []
    lock = await maven.refresh_lock("kafka", rig.folder / "cache", rig.folder / "log", said.append)
    assert lock.read_text() == lock_of(rig.jars)
    assert said == ["one-1.0.jar"]
    await rig.make()
    assert "jars/three-3.jar" in rig.context


async def test_a_module_that_is_not_there_is_told(rig: Rig) -> None:
    with pytest.raises(SupplyError, match="no jars are pinned for gone") as caught:
        await maven.refresh_lock("gone", rig.folder, rig.folder / "log", print)
    assert caught.value.expected == "kafka"


async def test_mvn_is_installed_as_root_on_debian(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []

    async def install(*packages: str, log: Path) -> None:
        installed.extend(packages)

    without_mvn(monkeypatch, root=True)
    monkeypatch.setattr(maven, "install_packages", install)
    await rig.make()
    assert installed == ["maven"]
    assert rig.calls[0][0] == "mvn"


async def test_elsewhere_mvn_runs_in_a_container_that_sees_what_it_writes_to(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def base(engine: object, component: Component) -> str:
        return f"held/{component.name}"

    without_mvn(monkeypatch, root=False)
    monkeypatch.setattr(maven, "in_engine", base)
    monkeypatch.setattr(maven, "_SETTINGS", rig.folder / "settings.xml")
    (rig.folder / "settings.xml").write_text("<settings/>")
    await rig.make()
    [words] = rig.calls
    assert words[:3] == ["docker", "run", "--rm"]
    at = words.index("held/debian")
    volumes = {word.removeprefix("--volume=") for word in words[:at] if word.startswith("--volume=")}
    fetched, repository = rig.folder / "work-0" / "fetched", rig.folder / "cache" / "maven" / "kafka"
    assert volumes == {
        f"{fetched}:{fetched}", f"{repository}:{repository}", f"{rig.folder}/settings.xml:/root/.m2/settings.xml:ro",
    }  # fmt: skip
    assert "jars/one-1.0.jar" in rig.context


async def test_without_mvn_and_without_an_engine_the_cure_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    without_mvn(monkeypatch, root=False)
    with pytest.raises(HostError, match="no mvn"):
        await maven.refresh_lock("kafka", rig.folder / "cache", rig.folder / "log", print)
    assert rig.calls == []


async def test_an_image_is_built_anew_when_its_lock_its_pom_or_its_files_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, monkeypatch)
    monkeypatch.setattr(debian, "IMAGES", tmp_path / "images")
    made: list[str] = []

    async def build(one: Entry, recipe: object, into: Path, bench: Workbench) -> None:
        made.append(one.name)
        (into / "oci").mkdir()

    async def bootstrap(one: Entry, recipe: object, into: Path, bench: Workbench) -> None:
        (into / "image.tar").write_text("debian")

    monkeypatch.setattr(maven, "build_image", build)
    monkeypatch.setattr(debian, "bootstrap", bootstrap)
    monkeypatch.setattr("sluice.supply.oci.layout_digest", lambda _: "sha256:0")

    async def again() -> int:
        before = len(made)
        found: Component = await Bench(tmp_path / "bench", monkeypatch, CATALOG).supply("source").get("kafka")
        assert found.name == "kafka"
        return len(made) - before

    (tmp_path / "bench").mkdir()
    assert await again() == 1
    assert await again() == 0
    for file in (rig.module / "jars.lock", rig.module / "pom.xml", tmp_path / "images/kafka/Dockerfile"):
        file.write_text("changed")
        assert await again() == 1, file
