"""release/policy.toml → Policy: what the gate asks of a run; all mistakes at once, each with its line.

The words follow Keptn v1's SLO file (objectives with pass and warning criteria, weight, key_sli and
total_score): https://github.com/keptn/spec/blob/master/service_level_objective.md
"""

import difflib
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from sluice.policy.checked import Mistake, load_checked
from sluice.policy.criteria import Criterion
from sluice.policy.model import QUERIES, Baselines, Policy
from sluice.policy.promql import metrics_named

_DOCUMENTED = "docs/reference/policy.md"
_PLACEHOLDERS = ("window", "namespace")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
# Keys that only objectives of one kind have.
_OF_KIND = {"slos": "slo", "allow": "image", "database": "image"}


def load_policy(path: Path, *, metrics: Collection[str] = ()) -> Policy:
    """Return the policy in a file; with `metrics`, a query may name no other than these.

    Raises PolicyError that names every mistake, each with its line, or the place where the text is not TOML.
    """

    def contradictions(given: dict[str, Any]) -> Iterator[Mistake]:
        yield from _contradictions(given, metrics)

    return load_checked(path, Policy, contradictions, tables="objective", named_by="name", documented=_DOCUMENTED)


def _contradictions(given: dict[str, Any], metrics: Collection[str]) -> Iterator[Mistake]:
    """What is wrong between values that are each well-formed; of the raw file, so that nothing hides them."""
    # Not by pydantic's min_length: that counts what is left once the broken ones are taken out.
    for key in ("required_suites", "objective"):
        if given.get(key) == []:
            yield (key,), "is empty: such a policy asks for nothing"
    bounds = given.get("pass_score", 90.0), given.get("warn_score", 75.0)
    if all(isinstance(bound, int | float) for bound in bounds) and bounds[1] > bounds[0]:
        yield ("warn_score",), f"{bounds[1]:g} is above pass_score, which is {bounds[0]:g}"
    table = given.get("baselines")
    kept = table if isinstance(table, dict) else {}
    keep, needed = kept.get("keep", Baselines.keep), kept.get("needed", Baselines.needed)
    if isinstance(keep, int) and isinstance(needed, int) and needed > keep:
        yield ("baselines", "needed"), f"{needed} is above keep, which is {keep}: there would never be a baseline"
    objectives = given.get("objective")
    seen: dict[str, int] = {}
    for index, objective in enumerate(objectives if isinstance(objectives, list) else ()):
        if not isinstance(objective, dict):
            continue
        name = objective.get("name")
        if isinstance(name, str) and seen.setdefault(name, index) != index:
            yield ("objective", index, "name"), f"objective {seen[name] + 1} has this name too"
        if objective.get("window") == "undisturbed" and not given.get("disturbing"):
            yield ("objective", index, "window"), "nothing disturbs: the policy has no list `disturbing`"
        for of_one in (_of_kind(objective), _of_queries(objective, metrics), _of_criteria(objective)):
            yield from ((("objective", index, *place), said) for place, said in of_one)


def _of_kind(objective: dict[str, Any]) -> Iterator[Mistake]:
    kind, query = objective.get("kind"), objective.get("query")
    for key, only in _OF_KIND.items():
        if key in objective and kind != only:
            yield (key,), f"only an objective of kind {only} has it"
    if kind == "tests" and "override" in objective:
        yield ("override",), "tests are put into quarantine.toml, by name, and never overridden"
    if kind in ("tests", "image") and "soak" in objective:
        yield ("soak",), f"an objective of kind {kind} has none: it is not measured over time"
    if kind == "image" and query == "licences" and not objective.get("allow"):
        yield ("allow",), 'is missing: the licences that images may hold, such as ["MIT", "Apache-2.0"]'
    if kind == "image" and query == "vulnerabilities" and not objective.get("database"):
        yield ("database",), "is missing: the file of known vulnerabilities, in OSV's format"


def _of_queries(objective: dict[str, Any], metrics: Collection[str]) -> Iterator[Mistake]:
    kind = str(objective.get("kind"))
    for key in ("query", "samples_query", "plot_query"):
        text = objective.get(key)
        if not isinstance(text, str):
            continue
        if kind in ("tests", "image") and key != "query":
            of_tests = "the tests are the samples" if kind == "tests" else "the images are the samples"
            yield (key,), f"an objective of kind {kind} has none: {of_tests}"
        elif key == "query" and kind in QUERIES:
            if text not in QUERIES[kind]:
                yield (key,), f"of kind {kind} it is one of {', '.join(QUERIES[kind])}"
        else:
            for placeholder in _PLACEHOLDER.findall(text):
                if placeholder not in _PLACEHOLDERS:
                    told = f"no such placeholder: {{{placeholder}}}; there are {{window}} and {{namespace}}"
                    yield (key,), told
            for name in sorted(metrics_named(text) - set(metrics)) if metrics and kind in ("promql", "slo") else ():
                near = difflib.get_close_matches(name, metrics, n=1)
                told = f"; did you mean {near[0]}?" if near else ""
                yield (key,), f"no metric is named {name} (helm/monitoring/rules/metrics.txt){told}"


def _of_criteria(objective: dict[str, Any]) -> Iterator[Mistake]:
    read: dict[str, Criterion] = {}
    for key in ("pass", "warn"):
        try:
            read[key] = Criterion.parse(objective[key])
        except (KeyError, ValueError, AttributeError, TypeError):
            continue
        if read[key].change is not None and objective.get("kind") == "tests":
            yield (key,), "tests have no baseline: a test passes or it does not"
    if len(read) < 2:
        return
    strict, loose = read["pass"], read["warn"]
    if not loose.allows_all_of(strict):
        shown = [" and ".join(filter(None, (str(one), one.relative))) for one in (loose, strict)]
        yield ("warn",), f"{shown[0]} refuses values that pass with {shown[1]}: a warning is the looser of the two"
