"""The files that a project begins with and owns: `template/`, with the service's name put in."""

from collections.abc import Iterator
from pathlib import Path

TEMPLATE = Path(__file__).with_name("template")
# What `name`, `module` and the chart's links are called there; both words are identifiers, so that Python stays Python.
_NAME, _MODULE = "__service__", "__module__"
SERVICE_FOLDERS = (f"services/{_NAME}", f"helm/{_NAME}")
# What differs between clouds, and what values there may be, a chart takes from the library (helm/README.md).
LINKS = {
    "values-aks.yaml": "../lib/profiles/aks.yaml",
    "values-gke.yaml": "../lib/profiles/gke.yaml",
    "values-oke.yaml": "../lib/profiles/oke.yaml",
    "values.schema.json": "../lib/service.schema.json",
}


def module_of(service: str) -> str:
    """Return the name of a service's Python package."""
    return service.replace("-", "_")


def add_service(root: Path, service: str) -> None:
    """Write the template's service and its chart into a tree."""
    _write(root, service, SERVICE_FOLDERS)
    for link, target in LINKS.items():
        (root / "helm" / service / link).symlink_to(target)


def add_all(root: Path, service: str) -> None:
    """Write everything of the template into a tree."""
    add_service(root, service)
    _write(root, service, [name for name in names() if not name.startswith(SERVICE_FOLDERS)])


def names() -> Iterator[str]:
    """Every file of the template, by its path, sorted."""
    for path in sorted(TEMPLATE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(TEMPLATE).as_posix()


def filled(text: str, service: str) -> str:
    """Return a text of the template with the service's name in it."""
    return text.replace(_NAME, service).replace(_MODULE, module_of(service))


def _write(root: Path, service: str, wanted: tuple[str, ...] | list[str]) -> None:
    for name in names():
        if name.startswith(tuple(wanted)):
            path = root / filled(name, service)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(filled((TEMPLATE / name).read_text(encoding="utf-8"), service), encoding="utf-8")
