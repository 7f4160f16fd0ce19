"""resolve_source: the services of a tree, and all of its mistakes at once."""

from pathlib import Path

import pytest
from tests.unit.core.support import git
from tests.unit.core.trees import SERVICE, tree, write

from sluice.domain import Fixture, Service
from sluice.errors import SourceError
from sluice.steps.resolve_source import is_waste, resolve_source, tree_digest

pytestmark = pytest.mark.anyio


async def mistakes(root: Path) -> list[str]:
    with pytest.raises(SourceError) as caught:
        await resolve_source(root)
    assert caught.value.next_command == "see services/README.md"
    return list(caught.value.mistakes)


async def test_services_are_found_by_their_files_in_order(tmp_path: Path) -> None:
    source = await resolve_source(tree(tmp_path, "notes", "backend"))
    assert [service.name for service in source.services] == ["backend", "notes"]
    assert source.services[0] == Service(
        name="backend", description="a service", folder="services/backend", port=8000, chart="helm/backend",
        module="backend", requires=("postgresql",),
    )  # fmt: skip
    assert source.root == str(tmp_path)


async def test_all_mistakes_of_all_services_are_told_at_once(tmp_path: Path) -> None:
    root = tree(tmp_path, "one", "two", "three", "four")
    (root / "services/one/service.toml").unlink()
    (root / "services/two/service.toml").write_text('[service]\nname = "Two"\nport = 0\ncolour = "red"\n')
    (root / "services/three/service.toml").write_text('[service]\nname = "three\n')
    (root / "helm/four/Chart.yaml").unlink()
    (root / "k8s-fixtures/postgresql/kustomization.yaml").unlink()
    found = await mistakes(root)
    assert [one for one in found if one.startswith("services/one")] == ["services/one: no service.toml"]
    two = [one for one in found if one.startswith("services/two")]
    assert any(one.startswith("services/two/service.toml:2: service.name") for one in two)
    assert any(one.startswith("services/two/service.toml:3: service.port") for one in two)
    assert any(one.startswith("services/two/service.toml:4: service.colour") for one in two)
    assert any(one.startswith("services/two/service.toml:1: service.module: Field required") for one in two)
    assert any(one.startswith("services/three/service.toml:2: ") for one in found)
    assert "services/four/service.toml:5: chart 'helm/four' has no Chart.yaml" in found
    assert "services/four/service.toml:7: k8s-fixtures/postgresql has no kustomization.yaml" in found


async def test_two_services_of_one_name_are_told_with_their_folders(tmp_path: Path) -> None:
    root = tree(tmp_path, "one", "two")
    (root / "services/two/service.toml").write_text((root / "services/one/service.toml").read_text())
    assert await mistakes(root) == ["services/one and services/two are both named 'one'"]


async def test_what_all_services_are_built_with_is_asked_for(tmp_path: Path) -> None:
    root = tree(tmp_path, "one")
    for name in ("build-requirements.lock", "requirements.lock", "Dockerfile"):
        (root / "services" / name).unlink()
    (root / "services/servicekit").rename(root / "elsewhere")
    assert await mistakes(root) == [
        "services: no servicekit, which every service is built with",
        "services: no build-requirements.lock, which every service is built with",
        "services: no Dockerfile, which services without one of their own are built with",
        "services: no requirements.lock, which services without one of their own are built with",
    ]


async def test_a_tree_without_services_is_told(tmp_path: Path) -> None:
    assert await mistakes(tree(tmp_path)) == ["services: no service"]
    assert await mistakes(tmp_path / "nowhere") == ["services: no service"]


async def test_a_service_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    root = tree(tmp_path, "one")
    (root / "services/one/service.toml").write_bytes(b"\xff\xfe")
    [mistake] = await mistakes(root)
    assert mistake.startswith("services/one/service.toml: 'utf-8'")


async def test_fixtures_are_those_that_services_require_with_the_images_they_name(tmp_path: Path) -> None:
    root = tree(tmp_path, "one", "two")
    write(root, {
        "services/two/service.toml": SERVICE.format(name="two").replace('"postgresql"', '"postgresql", "kafka"'),
        "k8s-fixtures/kafka/kustomization.yaml": "images: [{name: kafka}, {name: jmx-exporter, newTag: x}]\n",
        "k8s-fixtures/postgresql/each-service.yaml": "",
        "k8s-fixtures/redis/kustomization.yaml": "images: [{name: redis}]\n",
    })  # fmt: skip
    assert (await resolve_source(root)).fixtures == (
        Fixture("kafka", ("kafka", "jmx-exporter")), Fixture("postgresql", each_service=True),
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["images: [kafka]", "images: [{newName: x}]", "- images", "images: 3", "a: [", "\ud800"]
)
async def test_a_fixture_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    root = tree(tmp_path, "one")
    file = root / "k8s-fixtures/postgresql/kustomization.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    [mistake] = await mistakes(root)
    assert mistake.startswith("k8s-fixtures/postgresql/kustomization.yaml: ")
    assert "\n" not in mistake


async def test_files_and_hidden_folders_beside_services_are_none(tmp_path: Path) -> None:
    root = tree(tmp_path, "one")
    write(root, {"services/.idea/x": "", "services/__pycache__/x": "", "services/conftest.py": ""})
    assert [service.name for service in (await resolve_source(root)).services] == ["one"]


async def test_the_revision_and_uncommitted_edits_are_told(tmp_path: Path) -> None:
    root = tree(tmp_path, "one")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "all")
    clean = await resolve_source(root)
    assert clean.revision == git(root, "rev-parse", "HEAD")
    assert not clean.dirty
    (root / "services/one/src/one/__main__.py").write_text("print(1)")
    edited = await resolve_source(root)
    assert edited.dirty
    assert edited.revision == clean.revision
    assert edited.digest != clean.digest


async def test_where_git_tells_nothing_nothing_is_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    root = tree(tmp_path / "tree", "one")
    source = await resolve_source(root)
    assert (source.revision, source.dirty) == ("unknown", True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (await resolve_source(root)).revision == "unknown"


def test_the_digest_is_over_names_and_contents_without_leftovers(tmp_path: Path) -> None:
    write(tmp_path / "a", {"x": "1", "y/z": "2"})
    write(tmp_path / "b", {"x": "1", "y/z": "2", "y/__pycache__/z.pyc": "3", ".venv/bin/python": "4"})
    write(tmp_path / "c", {"x": "1", "y/w": "2"})
    assert tree_digest(tmp_path / "a") == tree_digest(tmp_path / "b")
    assert tree_digest(tmp_path / "a") != tree_digest(tmp_path / "c")


@pytest.mark.parametrize(
    ("path", "waste"),
    [
        ("src/a.py", False),
        ("src/__pycache__/a.pyc", True),
        ("a.egg-info/x", True),
        (".coverage", True),
        ("builder.py", False),
    ],
)
def test_leftovers_are_known_by_name(path: str, *, waste: bool) -> None:
    assert is_waste(Path(path)) is waste
