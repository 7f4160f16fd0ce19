"""The directions of imports, read from the sources: entrypoints → bootstrap → {steps, adapters} → ports → domain.

Also: files stay short, what is public says what it does, and links lead to files of this tree.
"""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ci" / "src" / "sluice"
SOURCES = sorted(PACKAGE.rglob("*.py"))
# Files that people write and read; recordings and locks are not.
WRITTEN = sorted(
    path
    for folder in ("ci/src", "tests", "services", "bench", "helm")
    for ending in ("*.py", "*.go", "*.sh")
    for path in (ROOT / folder).rglob(ending)
    if not {"__pycache__", ".venv", "node_modules"} & set(path.parts)
)
MOST_LINES = 300

# What a part of the package may import of the others; the first part that fits a module's name is its part.
# Parts that are not named here choose and start things: they may import anything but entrypoints.
MAY_IMPORT = {
    "errors": set[str](),
    "toml_lines": set[str](),
    "yaml_lines": set[str](),
    "generated": set[str](),
    "slo": {"errors", "generated", "yaml_lines"},
    "masking": set[str](),
    "files": set[str](),
    "measured": set[str](),
    "certificates": set[str](),
    "moments": set[str](),
    "domain": {"errors", "measured"},
    "ports": {"domain", "errors"},
    "run": {"domain", "errors", "files", "ports"},
    "settings": {"errors", "toml_lines"},
    "policy": {"domain", "errors", "moments", "toml_lines"},
    "schemas": {"domain", "generated", "readiness"},
    "reference": {
        "budgets",
        "dashboards",
        "errors",
        "generated",
        "policy",
        "promotion",
        "readiness",
        "settings",
        "supply",
    },
    "gate": {"domain", "errors", "policy"},
    "standing": {"domain", "errors", "policy"},
    "promotion": {"domain", "errors", "files", "moments", "policy", "slo"},
    "dashboards": {"domain", "errors"},
    "recovery": {"errors", "files"},
    "regions": {"errors", "files", "recovery"},
    "delivery": {"promotion"},
    "budgets": {"errors", "measured", "policy"},
    "incident": {"errors", "moments"},
    "readiness": {"policy", "promotion"},
    "suite_recorder": {"domain", "masking"},
    "steps": {
        "certificates",
        "domain",
        "errors",
        "files",
        "ports",
        "policy",
        "gate",
        "promotion",
        "dashboards",
        "budgets",
        "incident",
        "readiness",
        "slo",
        "settings",
        "toml_lines",
        "masking",
        "suite_recorder",
        "recovery",
        "regions",
        "run",
    },
    "compare_rules": set[str](),
    "compare_durations": {"domain", "compare_rules"},
    "compare": {"domain", "compare_rules", "compare_durations"},
    "report": {
        "domain",
        "errors",
        "policy",
        "promotion",
        "dashboards",
        "budgets",
        "delivery",
        "incident",
        "readiness",
        "masking",
        "compare",
        "compare_rules",
        "report",
    },
    "adapters": {
        "certificates",
        "domain",
        "errors",
        "files",
        "ports",
        "masking",
        "promotion",
        "recovery",
        "regions",
        "adapters",
        "supply",
    },
    "supply": {"domain", "errors", "ports", "toml_lines", "supply", "adapters"},
}


def part(module: str) -> str:
    """The part of the package that a module belongs to: `sluice.steps.x` → `steps`."""
    return module.split(".")[1] if "." in module else ""


def module_name(path: Path) -> str:
    parts = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, module: str, *, package: bool) -> Iterator[tuple[int, str]]:
    """Every module of ours that a source imports, wherever in it, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = module.split(".") if package else module.split(".")[:-1]
                base = ".".join([*here[: len(here) - node.level + 1], *([node.module] if node.module else [])])
            # `from sluice import doctor` names a module, `from sluice.run import Run` does not.
            yield from ((node.lineno, f"{base}.{alias.name}" if base == "sluice" else base) for alias in node.names)


def forbidden(source: str, module: str, *, package: bool = False) -> list[str]:
    """The imports that go against the direction."""
    own = part(module)
    found = []
    for line, name in imports(source, module, package=package):
        if name.split(".")[0] != "sluice" or name == "sluice":
            continue
        other = part(name)
        if other == "entrypoints" and own not in ("entrypoints", "__main__"):
            found.append(f"{module}:{line} imports {name}: nothing but __main__ imports entrypoints")
        elif own in MAY_IMPORT and other not in MAY_IMPORT[own] | {own}:
            found.append(f"{module}:{line} imports {name}: {own} may import {sorted(MAY_IMPORT[own])}")
    return sorted(set(found))


def undescribed(source: str) -> list[str]:
    """Public functions, methods and classes without a docstring; `__init__` and its kin are told by their class."""

    def visit(node: ast.AST, way: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{way}.{child.name}".lstrip(".")
                if child.name.startswith("_"):
                    continue
                if not ast.get_docstring(child):
                    yield f"{name} (line {child.lineno})"
                if isinstance(child, ast.ClassDef):
                    yield from visit(child, name)
            elif isinstance(child, ast.If | ast.Try | ast.With):
                yield from visit(child, way)

    return list(visit(ast.parse(source), ""))


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(PACKAGE)) for path in SOURCES])
def test_imports_go_one_way(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert forbidden(source, module_name(path), package=path.name == "__init__.py") == []


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(PACKAGE)) for path in SOURCES])
def test_what_is_public_says_what_it_does(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source)), "a module says what it is for"
    assert undescribed(source) == []


def test_files_stay_short() -> None:
    counted = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in WRITTEN}
    assert {name: lines for name, lines in counted.items() if lines >= MOST_LINES} == {}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("sluice.steps.x", "from sluice.adapters.docker import engine"),
        ("sluice.steps.x", "from sluice.supply.cache import Cache"),
        ("sluice.steps.x", "def f():\n    from sluice.bootstrap import Toolbox"),
        ("sluice.steps.x", "from ..adapters import host"),
        ("sluice.steps.x", "from sluice import adapters"),
        ("sluice.steps.x", "import sluice.adapters.host as h"),
        ("sluice.adapters.x", "from sluice.steps.build_images import build_images"),
        ("sluice.domain", "from sluice.settings import Settings"),
        ("sluice.report.page", "from sluice.steps.evaluate_gate import evaluate_gate"),
        ("sluice.report.page", "from sluice.adapters import host"),
        ("sluice.doctor", "from sluice.entrypoints import cli"),
        ("sluice.bootstrap", "from sluice.entrypoints.cli import app"),
    ],
)
def test_an_import_against_the_direction_is_found(module: str, source: str) -> None:
    assert len(forbidden(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("sluice.steps.x", "from sluice.ports import Metrics\nfrom .resolve_source import SHARED\nimport httpx"),
        ("sluice.bootstrap", "from sluice.adapters import host\nfrom sluice.steps import build_images"),
        ("sluice.__main__", "from sluice.entrypoints.cli import main"),
        ("sluice.domain", "from sluice.errors import SluiceError"),
    ],
)
def test_an_import_in_the_direction_is_fine(module: str, source: str) -> None:
    assert forbidden(source, module) == []


def test_what_says_nothing_is_found() -> None:
    source = 'class A:\n    """A."""\n    def f(self): ...\n    def _g(self): ...\nasync def h(): ...\n'
    source += "class _B:\n    def i(self): ...\n"
    assert undescribed(source) == ["A.f (line 3)", "h (line 5)"]


def strays(root: Path) -> list[str]:
    """The links of a tree that lead out of it, by an absolute path, or to nothing; hidden folders are left out."""
    found = []
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            link = Path(folder, name)
            if link.is_symlink() and not _stays(link, root):
                found.append(f"{link.relative_to(root)} -> {link.readlink()}")
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
    return found


def _stays(link: Path, root: Path) -> bool:
    return not link.readlink().is_absolute() and link.exists() and link.resolve().is_relative_to(root.resolve())


def test_links_lead_to_files_of_this_tree() -> None:
    assert strays(ROOT) == []


def test_a_link_that_leads_out_of_the_tree_is_found(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    (tree / "file").touch()
    (tmp_path / "outside").touch()
    (tree / "folder" / "fine").symlink_to("../file")
    assert strays(tree) == []
    (tree / "absolute").symlink_to(tree / "file")
    (tree / "folder" / "out").symlink_to("../../outside")
    (tree / "nothing").symlink_to("gone")
    assert [one.split(" -> ")[0] for one in sorted(strays(tree))] == ["absolute", "folder/out", "nothing"]
