"""catalog.toml as values."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice.errors import SettingsError
from sluice.toml_lines import line_of, syntax_line_and_column

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
    # Not in its text, which is part of cache keys: programs without tags keep the keys that they always had.
    tags: tuple[str, ...] = Field(default=(), repr=False)


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


class MavenRecipe(_Strict):
    """images/<folder>/Dockerfile on top of another base, with the jars that maven/<module> pins; see maven.py."""

    recipe: Literal["maven"]
    module: str
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
    GoRecipe | LinkRecipe | DebootstrapRecipe | DebianRecipe | MavenRecipe | FilesRecipe | NodeRecipe,
    Field(discriminator="recipe"),
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


def load_catalog(path: Path = CATALOG) -> Mapping[str, Entry]:
    """Return the entries by name, in the file's order. Raises SettingsError with every mistake and its line."""
    text = path.read_text(encoding="utf-8")
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = syntax_line_and_column(text, error)[0]
        raise SettingsError(
            path.name, [f"line {line}: {error}"], expected="TOML 1.0", next_command=f"mend {path.name}"
        ) from None
    mistakes: list[tuple[int, str]] = []
    entries: dict[str, Entry] = {}
    listed = given.pop("component", None)
    mistakes += [(line_of(text, [key]) or 0, f"{key}: no such table") for key in given]
    if not isinstance(listed, list) or not listed:
        mistakes.append((0, "component: no [[component]]"))
        listed = []
    names = [one.get("name") if isinstance(one, dict) else None for one in listed]
    for number, one in enumerate(listed):
        line = line_of(text, ["component", number]) or 0
        try:
            entry = Entry.model_validate(one)
        except ValidationError as error:
            for mistake in error.errors():
                place = [part for part in mistake["loc"] if isinstance(part, str | int)]
                shown = ".".join(map(str, [names[number] or number, *place]))
                mistakes.append((line_of(text, ["component", number, *place]) or line, f"{shown}: {mistake['msg']}"))
            continue
        if entry.name in entries:
            mistakes.append((line, f"{entry.name}: listed a second time"))
        entries[entry.name] = entry
        mistakes += [
            (line, f"{entry.name}: source names {other!r}, which is not in the catalog")
            for other in dependencies(entry)
            if other not in names
        ]
        mistakes += [(line, f"{entry.name}: {said}") for said in _senseless(entry)]
    for circle in _circles(entries):
        mistakes.append(
            (line_of(text, ["component", names.index(circle[0])]) or 0, f"needs itself: {' → '.join(circle)}")
        )
    if mistakes:
        told = [f"line {line or '?'}: {said}" for line, said in sorted(mistakes)]
        raise SettingsError(path.name, told, next_command=f"mend {path.name}")
    return entries


def _senseless(entry: Entry) -> list[str]:
    """What the types let through and nothing could be obtained from."""
    if not (entry.upstream or entry.source):
        return ["neither upstream nor source"]
    if not entry.upstream:
        return []
    said = []
    if bool(entry.upstream.image) == bool(entry.upstream.archive):
        said.append("upstream takes either image or archive")
    elif bool(entry.upstream.image) != (entry.form in ("image", "base", "node")):
        said.append(f"a component of the form {entry.form} does not come as this kind of upstream")
    for text in (entry.upstream.image, entry.upstream.archive, entry.upstream.member):
        try:
            text.format(version=entry.version)
        except (KeyError, IndexError, ValueError):
            said.append(f"{text!r}: only {{version}} is filled in")
    host, _, rest = entry.upstream.image.partition("/")
    if entry.upstream.image and not (rest and ("." in host or ":" in host) and ":" in rest and "@" not in rest):
        said.append(f"upstream image {entry.upstream.image!r} is not host/repository:tag")
    return said


def _circles(entries: Mapping[str, Entry]) -> list[tuple[str, ...]]:
    """The ways from a component back to itself, each once, as the names along it."""
    found: dict[frozenset[str], tuple[str, ...]] = {}

    def follow(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            circle = way[way.index(name) :]
            found.setdefault(frozenset(circle), (*circle, name))
        elif name in entries:
            for other in dependencies(entries[name]):
                follow(other, (*way, name))

    for name in entries:
        follow(name, ())
    return list(found.values())


_NODE_PARTS = (
    "capped-runc",
    "kubernetes",
    "etcd",
    "coredns",
    "local-path-provisioner",
    "pause",
    "debian",
    "node-network",
    "kind-node-files",
)


def dependencies(entry: Entry) -> tuple[str, ...]:
    """Return the components that a component's source recipe starts from."""
    match entry.source:
        case LinkRecipe(of=of):
            return (of,)
        case DebianRecipe(base=base) | MavenRecipe(base=base):
            return (base,)
        case NodeRecipe():
            return _NODE_PARTS
        case _:
            return ()
