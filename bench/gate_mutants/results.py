"""What came of each release, a line of JSON for each, so that a stopped bench goes on where it was."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from bench.gate_mutants.judged import Judged

from sluice.errors import SluiceError

Kind = Literal["mutant", "check", "healthy"]


@dataclass(frozen=True)
class Result:
    """One release, judged. `tree` names what it was made from; `suites` are those it was judged by.

    `at` is since the Unix epoch, `run_seconds` what all of it took, its deployment included.
    """

    name: str
    kind: Kind
    what: str
    judged: Judged
    run_seconds: float
    at: float
    tree: str
    suites: tuple[str, ...]
    unseen: str = ""


class ResultsBroken(SluiceError):
    """Raised for a file that holds anything else than results."""


def append(path: Path, result: Result) -> None:
    """Add a result to the file, which is made where it is not there; what a kill cut short in it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(json.dumps(asdict(result), ensure_ascii=False).encode() + b"\n")


def write(path: Path, results: Iterable[Result]) -> None:
    """Write a file of these results and no others."""
    path.unlink(missing_ok=True)
    for one in results:
        append(path, one)


def read(path: Path) -> list[Result]:
    """Return the results of a file, the newest of each name, in the order in which the names came; [] without a file.

    A last line that a kill cut short is left out. Raises ResultsBroken for any other line that is no result.
    """
    if not path.exists():
        return []
    found: dict[str, Result] = {}
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            result = _result(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            if number == len(lines):
                break
            raise ResultsBroken(
                f"{path.name} line {number} is no result",
                seen=f"{type(error).__name__}: {error}"[:200],
                expected="what a bench wrote there",
                next_command="remove the line, or start anew without --resume",
            ) from None
        found[result.name] = result
    return list(found.values())


def done(results: Iterable[Result]) -> set[str]:
    """The names that need no other run: all that were judged."""
    return {one.name for one in results if one.judged.outcome != "not judged"}


def _result(given: dict[str, Any]) -> Result:
    known = {field.name for field in fields(Judged)}
    judged = {name: value for name, value in given["judged"].items() if name in known}
    judged["objectives"] = tuple(judged.get("objectives", ()))
    rest = {name: value for name, value in given.items() if name not in ("judged", "suites")}
    return Result(**rest, judged=Judged(**judged), suites=tuple(given["suites"]))
