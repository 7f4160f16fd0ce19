"""The page of components: what the catalog lists, and how each is obtained."""

from collections.abc import Iterable
from pathlib import Path

from sluice.reference.markdown import code, page, section, table
from sluice.supply.catalog import Entry, load_catalog

CATALOG = Path("ci/src/sluice/supply/catalog.toml")
_FORMS = {
    "program": "one file that runs on this host, or in an image",
    "image": "one program in an image of its own",
    "base": "an image that other images start from",
    "node": "the image that kind starts as a node",
    "files": "files that a module carries",
}


def components_page(root: Path) -> str:
    """Return the page of a tree's catalog."""
    entries = load_catalog(root / CATALOG)
    return page(
        "Components",
        str(CATALOG),
        "Third-party programs, in the order of need, and where they come from. `./nox -s supply -- --list` tells"
        " which of them are in the cache. Optional ones are left out of a run where they cannot be obtained.",
        table(("component", "version", "form", "upstream", "from source"), _rows(entries.values())),
        section("Forms", table(("form", "is"), [(code(form), meaning) for form, meaning in _FORMS.items()])),
    )


def _rows(entries: Iterable[Entry]) -> Iterable[tuple[str, ...]]:
    for entry in entries:
        form = f"{entry.form}, optional" if entry.optional else entry.form
        yield code(entry.name), entry.version, form, _upstream(entry), _source(entry)


def _upstream(entry: Entry) -> str:
    if not entry.upstream:
        return ""
    return code(entry.upstream_image()) if entry.upstream.image else f"release file of {code(_host(entry))}"


def _host(entry: Entry) -> str:
    """Whose release it is: the host, and on GitHub the repository."""
    _, _, host, *path = entry.upstream_archive().split("/")
    return "/".join([host, *path[:2]]) if "github" in host else host


def _source(entry: Entry) -> str:
    if not entry.source:
        return ""
    told = entry.source.model_dump(exclude_defaults=True, exclude={"recipe", "versions", "image", "tags"})
    return ", ".join([entry.source.recipe, *(f"{key} {code(str(value))}" for key, value in told.items())])
