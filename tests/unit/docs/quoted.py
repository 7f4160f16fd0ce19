"""What the code says, as a page may quote it: every text of Python, of charts and of the two scripts.

`…` stands where something is filled in.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.unit.docs.pages import ROOT, Page

FILLED_IN = "…"
_LEAST = 8  # letters that a quotation has to have besides what is filled in: less than that is in every file
_TEMPLATE = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PRINTF = re.compile(r"%[-+ #0-9.]*[a-zA-Z]")
_SHELL = re.compile(r"\$\([^)]*\)|\$\{[^}]*\}|\$\w+")


@cache
def said() -> tuple[str, ...]:
    """Every text that could be printed."""
    found = set[str]()
    for folder in ("ci/src/sluice", "services"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not {"tests", "_tests", "_testkit", "template", "__pycache__"} & set(path.parts):
                found |= set(_python(path.read_text(encoding="utf-8")))
    for path in sorted((ROOT / "helm").glob("*/templates/*.tpl")):
        texts = _TEMPLATE.findall(path.read_text(encoding="utf-8"))
        found |= {_PRINTF.sub(FILLED_IN, line) for text in texts for line in text.split(r"\n")}
    for script in ("nox", "dagger"):
        found |= {_SHELL.sub(FILLED_IN, line) for line in (ROOT / script).read_text(encoding="utf-8").splitlines()}
    return tuple(sorted({normal(text) for text in found}))


def _python(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, documented) and ast.get_docstring(node)]
    docstrings = {id(node.body[0].value) for node in nodes if isinstance(node.body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else FILLED_IN for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def normal(text: str) -> str:
    """A text with one space for several, and one mark for several things that are filled in side by side."""
    return re.sub(rf"{FILLED_IN}(\s*{FILLED_IN})*", FILLED_IN, " ".join(text.split()))


def quotations(page: Page) -> Iterator[tuple[int, str]]:
    """The messages that a page quotes, a line each, in blocks marked `text`."""
    for block in page.blocks:
        if block.info == "text":
            yield from ((block.line + number, line) for number, line in enumerate(block.text.splitlines()))


def invented(page: Page) -> list[str]:
    """The messages of a page that nothing says, or that are too short to be looked for."""
    found = []
    for number, line in quotations(page):
        wanted = normal(line)
        if len(re.sub(rf"[{FILLED_IN}\W]", "", wanted)) < _LEAST:
            found.append(f"{page.name}:{number}: {line}: too little to be looked for")
        elif not any(wanted in text for text in said()):
            found.append(f"{page.name}:{number}: {line}: neither the pipeline nor a service nor a chart says so")
    return found
