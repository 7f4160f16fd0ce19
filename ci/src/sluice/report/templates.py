"""The pages' templates and style sheets, which lie beside this file; every text that is filled in is escaped."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).parent
TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def styles(*names: str) -> Markup:
    """Return style sheets as a page has them: our own files, which are not escaped."""
    return Markup("\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in names))
