"""catalog.toml → the catalog."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sluice.policy.checked import Mistake, entries, load_checked
from sluice.readiness.model import Catalog

CATALOG = Path(__file__).with_name("catalog.toml")
PAGE = Path("docs/production-readiness.md")


def load_catalog(path: Path = CATALOG) -> Catalog:
    """Return the catalog. Raises PolicyError with every mistake: ids that are there twice or of no section."""
    return load_checked(path, Catalog, _contradictions, tables="item", named_by="id", documented=str(PAGE))


def _contradictions(given: dict[str, Any]) -> Iterator[Mistake]:
    names = [entry.get("name") for _, entry in entries(given, "section")]
    filled: set[str] = set()
    seen: set[str] = set()
    for index, entry in entries(given, "item"):
        place, id_ = ("item", index, "id"), entry.get("id")
        if not isinstance(id_, str):
            continue
        if id_ in seen:
            yield place, "is there twice"
        if (section := id_.partition(".")[0]) not in names:
            yield place, f"of no section; there are {', '.join(str(name) for name in names)}"
        if "days" in entry and entry.get("reads"):
            yield ("item", index, "days"), "only what a person confirms has it"
        seen.add(id_)
        filled.add(section)
    for index, entry in entries(given, "section"):
        name = entry.get("name")
        if name in names[:index]:
            yield ("section", index, "name"), "is there twice"
        elif name not in filled:
            yield ("section", index, "name"), "has no item: it would have no score"
