"""services/*/slo.yaml → the SLOs of each service; all mistakes at once, each with its file and line."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from sluice.errors import SloError
from sluice.slo.examples import Series, parse
from sluice.slo.model import Slo
from sluice.yaml_lines import Document, UnreadableError, read_documents

FILE = "slo.yaml"
WINDOW = "{{.window}}"
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}")
# One look in half a minute: a budget smaller than this is less than three bad looks of a two hours' window.
_SMALLEST_BUDGET_OF_LOOKS = Decimal("0.005")
_QUERY = ("spec", "indicator", "spec", "ratioMetric")

Mistake = tuple[tuple[str | int, ...], str]


def load_slos(root: Path) -> dict[str, list[Slo]]:
    """Return the SLOs of a source tree by service. A service without the file has none.

    Raises SloError with every mistake of every file.
    """
    found: dict[str, list[Slo]] = {}
    mistakes: list[str] = []
    for path in sorted((root / "services").glob(f"*/{FILE}")):
        shown = path.relative_to(root)
        slos, wrong = _read(path)
        mistakes += [f"{shown}:{line}: {said}" for line, said in sorted(set(wrong))]
        found[path.parent.name] = slos
    if mistakes:
        raise SloError(
            "the service level objectives cannot be used",
            mistakes,
            expected="OpenSLO v1 as docs/slo.md describes it",
            next_command="mend them, then ./nox -s slo",
        )
    return found


def examples(slo: Slo) -> list[Series]:
    """The series of an SLO's example events."""
    return parse(slo.metadata.annotations, slo.spec.service)[0]


def _read(path: Path) -> tuple[list[Slo], list[tuple[int, str]]]:
    """The SLOs of a file, and its mistakes by line."""
    try:
        documents = read_documents(path.read_text(encoding="utf-8"))
    except UnreadableError as error:
        return [], [(error.line, str(error))]
    except UnicodeDecodeError as error:
        return [], [(1, f"byte {error.start} is not UTF-8")]
    if not documents:
        return [], [(1, "is empty: a service without objectives has no such file")]
    slos: list[Slo] = []
    mistakes: list[tuple[int, str]] = []
    used: dict[str, str] = {}
    for document in documents:
        slo, wrong = _read_document(document, path.parent.name)
        mistakes += [(document.line_of(place), _told(place, said)) for place, said in wrong]
        if slo is None:
            continue
        # A test moves all of a service's examples at once.
        for series in () if wrong else examples(slo):
            if used.setdefault(series.name, slo.name) != slo.name:
                said = f"{series.name} is an example of {used[series.name]} too: give one of them another label"
                mistakes.append((document.line_of(("metadata", "annotations")), said))
        if slo.name in {other.name for other in slos}:
            mistakes.append((document.line_of(("metadata", "name")), f"{slo.name} is there twice"))
        slos.append(slo)
    return slos, mistakes


def _read_document(document: Document, service: str) -> tuple[Slo | None, list[Mistake]]:
    try:
        slo = Slo.model_validate(document.value)
    except ValidationError as error:
        return None, [(tuple(wrong["loc"]), _said(wrong)) for wrong in error.errors()]
    return slo, list(_contradictions(slo, service))


def _contradictions(slo: Slo, service: str) -> Iterator[Mistake]:
    """What is wrong between values that are each well-formed."""
    if slo.spec.service != service:
        yield ("spec", "service"), f"{slo.spec.service} is not the folder's name, {service}"
    for side in ("good", "bad", "total"):
        counted = getattr(slo.ratio, side)
        if counted is None:
            continue
        place = (*_QUERY, side, "metricSource", "spec", "query")
        for placeholder in set(_PLACEHOLDER.findall(counted.query)) - {WINDOW}:
            yield place, f"no such placeholder: {placeholder}; there is {WINDOW}"
        for needed, why in (
            (f"[{WINDOW}", "the window that the events are counted in"),
            ("by (namespace, service)", "the labels that alerts and dashboards go by"),
            (f'service="{service}"', "one service's own events"),
        ):
            if needed not in counted.query:
                yield place, f"lacks {needed}: {why}"
    series, wrong = parse(slo.metadata.annotations, service)
    yield from ((("metadata", "annotations", *([key] if key else [])), said) for key, said in wrong)
    if any(one.kind == "gauge" for one in series) and slo.budget < _SMALLEST_BUDGET_OF_LOOKS:
        yield ("spec", "objectives", 0, "target"), f"{slo.target} of looks is finer than a look: at most 0.995"


def _said(wrong: object) -> str:
    """One of pydantic's findings in words, with the value that was seen."""
    assert isinstance(wrong, dict)
    if wrong["type"] == "missing":
        return "is missing"
    if wrong["type"] == "extra_forbidden":
        return "no such key, or none that is used here"
    said = str(wrong["msg"]).removeprefix("Input ").removeprefix("Value error, ")
    seen = wrong["input"]
    return said if isinstance(seen, dict | list) else f"{said}, seen {seen!r}"


def _told(place: tuple[str | int, ...], said: str) -> str:
    where = ".".join(map(str, place))
    return f"{where}: {said}" if where else said
