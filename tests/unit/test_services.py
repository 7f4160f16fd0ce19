"""Services are found by their files: nothing in ci/ knows one by name, so that another one is a folder and a chart."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = sorted(
    tomllib.loads(path.read_text(encoding="utf-8"))["service"]["name"]
    for path in (ROOT / "services").glob("*/service.toml")
)
FILES = [path for ending in ("*.py", "*.toml", "*.j2", "*.sh", "Dockerfile") for path in (ROOT / "ci").rglob(ending)]


def named(text: str, *, python: bool) -> list[str]:
    """The services that a file names; of Python what its strings say, for an example in a docstring is none of it."""
    said = "\n".join(_strings(ast.parse(text)) if python else [text])
    return [name for name in NAMES if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", said)]


def _strings(tree: ast.Module) -> Iterator[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in ast.walk(tree) if isinstance(node, documented) and ast.get_docstring(node)]
    docstrings = {id(node.body[0].value) for node in found if isinstance(node.body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_nothing_in_ci_names_a_service() -> None:
    assert len(NAMES) >= 5
    found = {str(path.relative_to(ROOT)): named(path.read_text(), python=path.suffix == ".py") for path in FILES}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("text", "python", "expected"),
    [
        ('x = f"helm/{y}/sync"', True, ["sync"]),
        ('def f():\n    """As backend does."""\n    return g.sync()', True, []),
        ('"re-audit", "notifications", "Backend"', True, []),
        ('name = "recurring-task"', False, ["recurring-task"]),
    ],
)
def test_a_name_is_found_and_nothing_else(text: str, python: bool, expected: list[str]) -> None:
    assert named(text, python=python) == expected
