"""catalog.toml as values."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice.errors import SettingsError
from sluice.toml_lines import line_of

CATALOG = Path(__file__).with_name("catalog.toml")

Form = Literal["program", "image", "base", "node", "files"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Upstream(_Strict):
    """Where the component's makers offer it: an image reference, or a release file (with a member inside it)."""

    image: str = ""
    archive: str = ""
    member: str = ""


class ScratchImage(_Strict):
    """How a program becomes an image of its own: where it lies (also the entry point) and who runs it."""

    path: str
    user: str


class GoRecipe(_Strict):
    """Build a package of gomod/<module>, or of gosrc/<module> where we wrote it ourselves."""

    recipe: Literal["go"]
    module: str
    package: str
    versions: tuple[str, ...] = ()
    image: ScratchImage | None = None


class LinkRecipe(_Strict):
    """The program of another component under this name."""

    recipe: Literal["link"]
    of: str


class DebootstrapRecipe(_Strict):
    """A minimal Debian of a suite."""

    recipe: Literal["debootstrap"]
    suite: str


class DebianRecipe(_Strict):
    """images/<folder>/Dockerfile on top of another base; apt-get brings the programs."""

    recipe: Literal["debian"]
    folder: str
    base: str


class FilesRecipe(_Strict):
    """Files that a Go module carries, at the version that gomod/<module> names."""

    recipe: Literal["files"]
    module: str
    of: str
    path: str


class NodeRecipe(_Strict):
    """The kind node image; see node_image.py."""

    recipe: Literal["node"]


Recipe = Annotated[
    GoRecipe | LinkRecipe | DebootstrapRecipe | DebianRecipe | FilesRecipe | NodeRecipe, Field(discriminator="recipe")
]


class Entry(_Strict):
    """One component as the catalog lists it. An optional one is left out where it cannot be obtained."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    version: str
    form: Form
    optional: bool = False
    upstream: Upstream | None = None
    source: Recipe | None = None

    def upstream_image(self) -> str:
        """The upstream image reference with the version filled in, or an empty text."""
        return self.upstream.image.format(version=self.version) if self.upstream else ""

    def upstream_archive(self) -> str:
        """The address of the release file with the version filled in, or an empty text."""
        return self.upstream.archive.format(version=self.version) if self.upstream else ""


class _Catalog(_Strict):
    component: tuple[Entry, ...]


def load_catalog(path: Path = CATALOG) -> Mapping[str, Entry]:
    """Return the entries by name, in the file's order. Raises SettingsError with every mistake and its line."""
    text = path.read_text()
    try:
        parsed = _Catalog.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(path.name, [str(error)], expected="TOML 1.0", next_command=f"mend {path.name}") from None
    except ValidationError as error:
        mistakes = []
        for mistake in error.errors():
            line = line_of(text, [part for part in mistake["loc"] if isinstance(part, str | int)])
            mistakes.append(f"line {line or '?'}: {'.'.join(map(str, mistake['loc']))}: {mistake['msg']}")
        raise SettingsError(path.name, mistakes, next_command=f"mend {path.name}") from None
    entries = {entry.name: entry for entry in parsed.component}
    mistakes = [f"{name}: neither upstream nor source" for name, e in entries.items() if not (e.upstream or e.source)]
    mistakes += [
        f"{entry.name}: source names {other!r}, which is not in the catalog"
        for entry in parsed.component
        for other in dependencies(entry)
        if other not in entries
    ]
    if len(entries) != len(parsed.component):
        mistakes.append("a name is listed twice")
    if mistakes:
        raise SettingsError(path.name, mistakes, next_command=f"mend {path.name}")
    return entries


_NODE_PARTS = (
    "capped-runc", "kubernetes", "etcd", "coredns", "local-path-provisioner", "pause", "debian", "node-network",
    "kind-node-files",
)  # fmt: skip


def dependencies(entry: Entry) -> tuple[str, ...]:
    """Return the components that a component's source recipe starts from."""
    match entry.source:
        case LinkRecipe(of=of):
            return (of,)
        case DebianRecipe(base=base):
            return (base,)
        case NodeRecipe():
            return _NODE_PARTS
        case _:
            return ()
