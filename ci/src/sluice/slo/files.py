"""The files that are generated: written, or compared with what is there."""

from itertools import zip_longest
from pathlib import Path

from sluice.errors import SloError
from sluice.slo.cases import cases_of
from sluice.slo.load import load_slos
from sluice.slo.rules import rules_of

RULES = Path("helm/monitoring/rules")
COMMAND = "./nox -s slo"


def generated(root: Path) -> dict[Path, str]:
    """The text of every generated file, by its path from the root. Raises SloError where a slo.yaml is not right."""
    found = {}
    for service, slos in load_slos(root).items():
        found[RULES / f"slo-{service}.yaml"] = rules_of(service, slos)
        found[RULES / "tests" / f"slo-{service}.test.yaml"] = cases_of(service, slos)
    return found


def write(root: Path) -> list[Path]:
    """Write what differs, remove what nothing generates any more, and return those paths."""
    wanted = generated(root)
    changed = [path for path in sorted({*wanted, *_there(root)}) if _text(root / path) != wanted.get(path)]
    for path in changed:
        if path in wanted:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(wanted[path], encoding="utf-8")
        else:
            (root / path).unlink()
    return changed


def check(root: Path) -> int:
    """Return how many files are as they are generated. Raises SloError that names each that is not, and where."""
    wanted = generated(root)
    mistakes = []
    for path in sorted({*wanted, *_there(root)}):
        text = _text(root / path)
        if text is None:
            mistakes.append(f"{path} is missing")
        elif path not in wanted:
            mistakes.append(f"{path} is left over: nothing generates it")
        elif text != wanted[path]:
            pairs = enumerate(zip_longest(text.splitlines(), wanted[path].splitlines()), start=1)
            line = next((number for number, (seen, expected) in pairs if seen != expected), 1)
            mistakes.append(f"{path}:{line} differs")
    if mistakes:
        raise SloError(
            "generated files are not what services/*/slo.yaml says",
            mistakes,
            expected="no change by hand, and none of slo.yaml without generating anew",
            next_command=COMMAND,
        )
    return len(wanted)


def _there(root: Path) -> list[Path]:
    """The generated files that are there."""
    places = ((RULES, "slo-*.yaml"), (RULES / "tests", "slo-*.test.yaml"))
    return [path.relative_to(root) for folder, pattern in places for path in (root / folder).glob(pattern)]


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
