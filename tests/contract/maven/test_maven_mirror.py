"""The real mvn against a mirror of our own, which the user's settings.xml names; the mirror may fail and forge."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from tests.contract.upstream.servers import FileServer, file_server

from sluice.errors import DigestMismatch, SluiceError, SupplyError, Unreachable, in_a_line
from sluice.settings import load_settings
from sluice.supply import maven
from sluice.supply.catalog import Entry, MavenRecipe
from sluice.supply.workbench import Workbench

pytestmark = pytest.mark.anyio
JAR = "org/example/one/1.0/one-1.0.jar"
POM = (
    "<project><modelVersion>4.0.0</modelVersion><groupId>{}</groupId><artifactId>{}</artifactId><version>1.0</version>"
)
DEPENDENCY = "<groupId>org.example</groupId><artifactId>one</artifactId><version>1.0</version>"
SETTINGS = """
<settings>
  <localRepository>{home}/not-here</localRepository>
  <mirrors><mirror><id>ours</id><mirrorOf>*</mirrorOf><url>{url}</url></mirror></mirrors>
</settings>
"""


@pytest.fixture(scope="module")
def plugin() -> dict[str, bytes]:
    """The dependency plugin and what it needs, from the cache of this host, or fetched into it once."""
    cache = load_settings(Path.cwd()).cache
    repository, work = cache / "maven" / "jmx-exporter", cache / "maven" / "jmx-exporter.test"

    async def fetch() -> None:
        try:
            await maven._place_for_mvn(work / "log", lambda _: None, None)
        except SluiceError as error:  # no root, or no mirror of Debian in reach, as in a Dagger engine without any
            pytest.skip(f"no Maven here, and none to be had: {in_a_line(error)}")
        await maven._fetch("jmx-exporter", repository, work, work / "log", lambda _: None)

    try:
        anyio.run(fetch)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return {
        str(file.relative_to(repository)): file.read_bytes()
        for file in repository.rglob("*")
        if file.suffix in (".jar", ".pom")
    }


class Mirror:
    """What is fetched from the file server, for a module of one jar."""

    def __init__(self, folder: Path, files: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.files = folder, files
        self.runs = 0
        self.jars: dict[str, bytes] = {}
        home, module = folder / "home", folder / "maven" / "one"
        texts = {
            home / ".m2" / "settings.xml": SETTINGS.format(home=home, url=files.url("")),
            module / "pom.xml": POM.format("sluice", "one")
            + f"<packaging>pom</packaging><dependencies><dependency>{DEPENDENCY}</dependency></dependencies></project>",
            module / "jars.lock": f"org.example:one:1.0 {hashlib.sha256(b'the jar').hexdigest()}\n",
            folder / "images/one/Dockerfile": "FROM x",
        }
        for file, text in texts.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.serve(JAR, b"the jar")
        self.serve(JAR.replace(".jar", ".pom"), (POM.format("org.example", "one") + "</project>").encode())
        monkeypatch.setattr(maven, "MODULES", folder / "maven")
        monkeypatch.setattr(maven, "IMAGES", folder / "images")
        monkeypatch.setattr(maven, "build_context", self._build)
        # Java takes the home from the account and not from the environment.
        monkeypatch.setenv("MAVEN_OPTS", f"{os.environ.get('MAVEN_OPTS', '')} -Duser.home={home}")

    def serve(self, path: str, body: bytes) -> None:
        """Serve a file with its checksum."""
        self.files.files |= {path: body, f"{path}.sha1": hashlib.sha1(body).hexdigest().encode()}

    async def make(self) -> None:
        """Make the image, as a new run does."""
        self.runs += 1
        into = self.folder / f"work-{self.runs}" / "artifact"
        into.mkdir(parents=True)
        recipe = MavenRecipe(recipe="maven", module="one", folder="one", base="debian")
        entry = Entry(name="one", version="1", form="image", source=recipe)

        async def no_engine() -> None:
            raise AssertionError("no engine is needed for jars")

        bench = Workbench(self.folder / "cache", self.folder / "mvn.log", {}, no_engine, lambda _: None)  # type: ignore[arg-type]
        await maven.build_image(entry, recipe, into, bench)

    async def _build(self, entry: Entry, base: str, context: Path, into: Path, bench: Workbench) -> None:
        self.jars = {file.name: file.read_bytes() for file in (context / "jars").iterdir()}


@pytest.fixture
def mirror(tmp_path: Path, plugin: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    with file_server() as files:
        made = Mirror(tmp_path, files, monkeypatch)
        for path, body in plugin.items():
            made.serve(path, body)
        yield made


async def test_jars_come_from_the_mirror_of_the_users_settings_and_a_mirror_that_fails_or_forges_does_no_harm(
    mirror: Mirror,
) -> None:
    """One test, since each run of mvn takes seconds: what it fetched once, the next runs have."""
    await mirror.make()
    assert mirror.jars == {"one-1.0.jar": b"the jar"}
    assert JAR in mirror.files.asked
    assert not (mirror.folder / "home" / "not-here").exists(), "the cache holds mvn's repository, whatever is set"
    assert not (mirror.folder / "home" / ".m2" / "repository").exists()

    mirror.jars, mirror.files.status = {}, 503
    await mirror.make()
    assert mirror.jars == {"one-1.0.jar": b"the jar"}, "a second time needs no network"

    async def broken() -> SupplyError:
        shutil.rmtree(mirror.folder / "cache" / "maven" / "one" / "org" / "example", ignore_errors=True)
        mirror.jars = {}
        with pytest.raises(SupplyError) as caught:
            await mirror.make()
        assert mirror.jars == {}
        return caught.value

    assert isinstance(await broken(), Unreachable)
    mirror.files.status = 200
    mirror.files.files[f"{JAR}.sha1"] = b"0" * 40
    assert "Checksum validation failed" in (await broken()).seen
    mirror.serve(JAR, b"another jar")
    assert isinstance(await broken(), DigestMismatch)
    mirror.serve(JAR, b"the jar")
    await mirror.make()
    assert mirror.jars == {"one-1.0.jar": b"the jar"}
