"""The files that are generated: written, or compared with what is there."""

from pathlib import Path

from sluice.errors import SloError
from sluice.generated import differences, write_files
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
    return write_files(root, generated(root), _there(root))


def check(root: Path) -> int:
    """Return how many files are as they are generated. Raises SloError that names each that is not, and where."""
    wanted = generated(root)
    mistakes = differences(root, wanted, _there(root))
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
