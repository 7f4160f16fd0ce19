"""`./nox -s same_run -- RUN_A RUN_B`: whether two runs are the same apart from time and place.

Two folders of runs of one revision, such as one by hand and one by a workflow. Exit status 0 the same, 1 not, 2 could
not be compared. Time and place are: the run's id, when and how long, what was measured (within its level), whether a
component came from upstream or from source, where images lie.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sluice.domain import Evidence, ObjectiveResult, Verdict, load
from sluice.errors import SluiceError

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)

# gate/judging.py: which of the series was the worst was measured too, and how many there are (a rule file has the name
# that its cluster gave it).
_WORST = re.compile(r", the worst of \d+ series(?: \([^)]*\))?| \([\w.]+=[^)]*\)")


def same_verdict(a: Verdict, b: Verdict) -> list[str]:
    """Return a line for each difference between two verdicts, apart from time and place; none where there is none."""
    found = _differences("verdict", _judged(a), _judged(b))
    objectives = [{one.name: _objective(one) for one in verdict.objectives} for verdict in (a, b)]
    for name in sorted(objectives[0].keys() | objectives[1].keys()):
        one, other = (known.get(name, {"there": False}) for known in objectives)
        found += _differences(f"objective {name}", one, other)
    return found


def same_evidence(a: Evidence, b: Evidence) -> list[str]:
    """Return a line for each difference between what two runs were made of and what they did."""
    return _differences("evidence", _done(a), _done(b))


def _judged(verdict: Verdict) -> dict[str, object]:
    return {
        "schema": verdict.schema,
        "level": verdict.level,
        "score": round(verdict.score, 6),
        "pass_score": verdict.pass_score,
        "warn_score": verdict.warn_score,
        "digests": sorted(verdict.digests),
        "reasons": [_without_numbers(reason) for reason in verdict.reasons],
        "flaky": sorted(verdict.flaky),
        "quarantined": sorted(verdict.quarantined),
    }


def _objective(result: ObjectiveResult) -> dict[str, object]:
    return {
        "level": result.level,
        "unit": result.unit,
        "pass": (result.pass_criterion, result.pass_relative),
        "warn": (result.warn_criterion, result.warn_relative),
        "weight": result.weight,
        "score": result.score,
        "key": result.key,
        "measured": result.value is not None,
        "reason": _without_numbers(result.reason),
    }


def _done(run: Evidence) -> dict[str, object]:
    return {
        "revision": run.revision,
        "source": run.source_digest,
        "kubernetes": run.kubernetes,
        "images": {image.name: image.digest for image in run.images},
        "components": {one.name: one.version for one in run.components},
        "steps": {step.name: step.outcome for step in run.steps},
        "suites": sorted(run.suites),
        "tests": {test.id: test.outcome for test in run.tests},
        "partial": run.partial,
    }


def _differences(what: str, one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    found = []
    for name in sorted(one.keys() | other.keys()):
        left, right = one.get(name), other.get(name)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            found += _differences(f"{what} {name}", left, right)
        elif left != right:
            found.append(f"{what} {name}: {left} and {right}")
    return found


def _without_numbers(text: str) -> str:
    """What was measured, and of which series, differs between any two runs; which sentence is said of it does not."""
    return _NUMBER.sub("#", _WORST.sub("", text))


def main(arguments: Sequence[str]) -> int:
    """Compare the runs whose folders are given."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        (a, judged_a), (b, judged_b) = (
            (load(Evidence, Path(folder) / "evidence.json"), load(Verdict, Path(folder) / "verdict.json"))
            for folder in arguments
        )
    except SluiceError as error:
        print(f"✗ {error}", file=sys.stderr)
        return 2
    found = same_evidence(a, b) + same_verdict(judged_a, judged_b)
    print("\n".join(found) or f"{a.run_id} and {b.run_id}: the same apart from time and place")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
