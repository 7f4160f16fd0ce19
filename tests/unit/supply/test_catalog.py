"""The catalog: the real one holds together, a broken one tells all of its mistakes with their lines."""

import re
from pathlib import Path

import pytest

from sluice.errors import SettingsError
from sluice.supply import debian, go, maven, tools
from sluice.supply.catalog import (
    DebianRecipe,
    FilesRecipe,
    GoRecipe,
    MavenRecipe,
    NodeRecipe,
    dependencies,
    load_catalog,
)

REAL = load_catalog()
GO = 'source = { recipe = "go", module = "pause", package = "." }\n'


def mistakes(folder: Path, text: str) -> list[str]:
    path = folder / "broken.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_catalog(path)
    return list(caught.value.mistakes)


def one(fields: str, name: str = "a") -> str:
    return f'[[component]]\nname = "{name}"\nversion = "1"\n{fields}'


@pytest.mark.parametrize("name", REAL)
def test_every_component_says_its_version_and_where_it_comes_from(name: str) -> None:
    entry = REAL[name]
    assert entry.version
    assert entry.upstream or entry.source
    assert entry.source or entry.optional, "what cannot be built from source must be left out where it cannot be had"
    assert "{" not in entry.upstream_image() + entry.upstream_archive()


@pytest.mark.parametrize("name", REAL)
def test_every_recipe_finds_its_files(name: str) -> None:
    match REAL[name].source:
        case GoRecipe(module=module) | FilesRecipe(module=module):
            assert "go.mod" in [file.name for file in go.inputs(module)]
        case DebianRecipe(folder=folder):
            assert "Dockerfile" in [file.name for file in debian.inputs(folder)]
        case MavenRecipe(module=module, folder=folder):
            assert [file.name for file in maven.inputs(module)] == ["pom.xml", "jars.lock"]
            assert "Dockerfile" in [file.name for file in debian.inputs(folder)]
        case NodeRecipe():
            assert debian.inputs("node")
        case _:
            pass


def test_what_go_and_maven_pin_is_the_version_that_the_catalog_says() -> None:
    told = {
        **{name: f"maven/{name}/pom.xml" for name in ("kafka", "kafka-mirror", "jmx-exporter")},
        "daprd": "gomod/dapr/go.mod",
        "metrics-server": "gomod/metrics-server/go.mod", "prometheus-adapter": "gomod/prometheus-adapter/go.mod",
        **dict.fromkeys(("cosign", "oras", "syft"), "gomod/release/go.mod"),
        **dict.fromkeys(("actionlint", "act"), "gomod/workflows/go.mod"),
    }  # fmt: skip
    names = {"daprd": "github.com/dapr/dapr v{}", "metrics-server": "sigs.k8s.io/metrics-server v{}",
             "prometheus-adapter": "sigs.k8s.io/prometheus-adapter v{}", "oras": "oras.land/oras v{}",
             "cosign": "github.com/sigstore/cosign/v3 v{}", "syft": "github.com/anchore/syft v{}",
             "actionlint": "github.com/rhysd/actionlint v{}", "act": "github.com/nektos/act v{}"}  # fmt: skip
    for name, file in told.items():
        said = names.get(name, "<version>{}</version>").format(REAL[name].version)
        assert said in (Path(maven.__file__).parent / file).read_text()


def test_locks_of_jars_hold_hashes_and_no_address() -> None:
    for lock in maven.MODULES.glob("*/jars.lock"):
        for line in lock.read_text().splitlines():
            assert re.fullmatch(r"[\w.-]+:[\w.-]+:[\w.-]+ [0-9a-f]{64}", line)


def test_what_others_start_from_is_in_the_catalog() -> None:
    for entry in REAL.values():
        assert set(dependencies(entry)) <= set(REAL)
    assert set(tools.NAMES) <= set(REAL)


def test_all_mistakes_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    found = mistakes(tmp_path, """\
[[component]]
name = "Bad Name"
version = "1"
form = "programme"

[[component]]
name = "b"
form = "program"
source = { recipe = "gp", module = "x", package = "." }

[[component]]
name = "c"
version = "1"
form = "program"
colour = "red"

[[component]]
name = "d"
version = "1"
form = "base"
source = { recipe = "debian", folder = "x", base = "gone" }

[[component]]
name = "e"
version = "1"
form = "program"

[other]
""")  # fmt: skip
    assert found == sorted(found, key=lambda mistake: int(mistake.split()[1].rstrip(":")))
    told = "\n".join(found)
    for said in (
        "line 2: Bad Name.name: String should match", "line 4: Bad Name.form: Input should be",
        "line 6: b.version: Field required", "line 9: b.source: Input tag 'gp'",
        "line 15: c.colour: Extra inputs are not permitted",
        "line 17: d: source names 'gone', which is not in the catalog", "line 23: e: neither upstream nor source",
        "line 28: other: no such table",
    ):  # fmt: skip
        assert said in told, told


def test_a_name_listed_twice_is_told(tmp_path: Path) -> None:
    text = one(f'form = "program"\n{GO}') + "\n" + one(f'form = "program"\n{GO}')
    assert mistakes(tmp_path, text) == ["line 7: a: listed a second time"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ('form = "image"\nupstream = { image = "example.org/a" }', "'example.org/a' is not host/repository:tag"),
        ('form = "image"\nupstream = { image = "a:1" }', "'a:1' is not host/repository:tag"),
        ('form = "image"\nupstream = { image = "h.org/a:1", archive = "https://h/x" }', "either image or archive"),
        ('form = "image"\nupstream = { }', "either image or archive"),
        ('form = "program"\nupstream = { image = "h.org/a:1" }', "does not come as this kind of upstream"),
        ('form = "base"\nupstream = { archive = "https://h/x" }', "does not come as this kind of upstream"),
        ('form = "program"\nupstream = { archive = "https://h/{arch}" }', "only {version} is filled in"),
        ('form = "program"\nsource = { recipe = "link", of = "a" }', "needs itself: a → a"),
    ],
)
def test_what_nothing_could_be_obtained_from_is_told(tmp_path: Path, fields: str, said: str) -> None:
    [mistake] = mistakes(tmp_path, one(fields + "\n"))
    assert mistake.startswith("line 1: ")
    assert said in mistake


def test_a_circle_is_told_once(tmp_path: Path) -> None:
    text = one('form = "program"\nsource = { recipe = "link", of = "b" }\n') + one(
        'form = "program"\nsource = { recipe = "link", of = "a" }\n', "b"
    )
    assert mistakes(tmp_path, text) == ["line 1: needs itself: a → b → a"]


@pytest.mark.parametrize(("text", "line"), [("[[component]\n", 1), ('x = "', 1), ("a = 1\na = 1\n", 2)])
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    assert mistakes(tmp_path, text)[0].startswith(f"line {line}: ")


@pytest.mark.parametrize("text", ["", "component = []", "component = 3", 'component = ["a"]'])
def test_a_catalog_without_components_is_told(tmp_path: Path, text: str) -> None:
    assert mistakes(tmp_path, text)
