"""Results → docs/gate-mutants.md."""

from collections.abc import Callable, Iterable, Sequence

from bench.gate_mutants.faults import LEFT_OUT, Change
from bench.gate_mutants.judged import Outcome
from bench.gate_mutants.results import Kind, Result

_HEAD = """# Whether the gate is worth trusting

Written by `python -m bench.gate_mutants --write`; bench/README.md says how. Each mutant is the good release with one
small fault: it is built, deployed on a kept cluster and judged like any other. No mutant is told where to look: all of
them, and the healthy releases, are judged by one policy, `release/policy.toml` with these suites required and nothing
else changed: {suites}.
Left out of all of them: {left_out} (it waits minutes for what no mutant touches).

*Caught* is a verdict of fail in which something spoke that was expected to. *Sign* is the time from the deployed
release to the first test, step or objective that spoke against it, *verdict* to the end of the run; where the release
could not be deployed, both count from the beginning of that.
"""
_COLUMNS = "mutant | fault | {} | also | sign | verdict"
_Cells = Callable[[Result], Sequence[str]]


def render(results: Sequence[Result], known: Iterable[Change]) -> str:
    """Return the page. `known` are all mutants: one that has no result is listed as not judged."""
    by_kind: dict[Kind, list[Result]] = {"mutant": [], "check": [], "healthy": []}
    for one in results:
        by_kind[one.kind].append(one)
    caught, chance = (_of(by_kind["mutant"], outcome) for outcome in ("caught", "caught by chance"))
    missed = _of(by_kind["mutant"], "missed") + _of(by_kind["check"], "missed")
    unjudged = _of(results, "not judged")
    ran = {one.name for one in results}
    suites = sorted({suite for one in results if one.kind != "check" for suite in one.suites})
    parts = [
        _HEAD.format(suites=", ".join(suites) or "none", left_out=", ".join(f"`{name}`" for name in LEFT_OUT)),
        _summary(by_kind, [change for change in known if change.name not in ran]),
        _section("Caught by the gate on the cluster", _COLUMNS.format("caught by"), caught, _row),
        _section("Failed, but for something else than was expected", _COLUMNS.format("failed for"), chance, _row),
        _section(
            "Caught by the checks that need no cluster (`./nox -s tests`)",
            "mutant | fault | caught by | time",
            _of(by_kind["check"], "caught"),
            lambda one: (one.name, one.what, _code(one.judged.found), _seconds(one.run_seconds)),
        ),
        _section(
            "Missed",
            "mutant | fault | why | what the verdict says",
            missed,
            lambda one: (one.name, one.what, one.unseen or "not known yet", one.judged.reason[:300]),
        ),
        _section(
            "Healthy releases",
            "release | change | verdict | time to the verdict",
            [one for one in by_kind["healthy"] if one.judged.outcome != "not judged"],
            lambda one: (one.name, one.what, _verdict(one), _seconds(one.judged.to_verdict)),
        ),
        _section(
            "Not judged",
            "release | why",
            unjudged,
            lambda one: (one.name, one.judged.reason[:300]),
        ),
    ]
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def _summary(by_kind: dict[Kind, list[Result]], never: Sequence[Change]) -> str:
    mutants, checks, healthy = by_kind["mutant"], by_kind["check"], by_kind["healthy"]
    caught, passed = len(_of(mutants, "caught")), len(_of(healthy, "passed"))
    judged = [one for one in mutants if one.judged.outcome != "not judged"]
    verdicts = sorted(one.judged.to_verdict for one in judged)
    trees = sorted({one.tree for one in (*mutants, *checks, *healthy)})
    lines = [
        f"**{caught} of {len(judged)} mutants were caught by the gate**, "
        f"{len(_of(checks, 'caught'))} of {len(checks)} by the checks that are meant for them; "
        f"**{passed} of {len(healthy)} healthy releases passed**.",
    ]
    if verdicts:
        lines += [
            f"From a deployed mutant to its verdict: {_seconds(verdicts[len(verdicts) // 2])} in the median, "
            f"{_seconds(verdicts[-1])} at most."
        ]
    if len(trees) > 1:
        lines += [f"The results are of {len(trees)} trees ({', '.join(trees)}): not all of them of the newest."]
    if never:
        lines += ["Never run: " + ", ".join(f"`{change.name}`" for change in never) + "."]
    return "\n".join(lines) + "\n"


def _of(results: Iterable[Result], outcome: Outcome) -> list[Result]:
    return [one for one in results if one.judged.outcome == outcome]


def _section(title: str, columns: str, results: Sequence[Result], cells: _Cells) -> str:
    if not results:
        return ""
    count = len(columns.split("|"))
    rows = [[_cell(cell) for cell in cells(one)] for one in sorted(results, key=lambda one: one.name)]
    lines = [f"## {title}", "", f"| {columns} |", "|" + " --- |" * count]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _row(one: Result) -> Sequence[str]:
    judged = one.judged
    named = judged.found or judged.first
    also = [_code(judged.first)] if judged.first != named else []
    also += [name for name in judged.objectives if name != "suites" and name not in named]
    return (
        one.name,
        one.what,
        _code(named),
        ", ".join(also),
        _seconds(judged.to_first),
        _seconds(judged.to_verdict),
    )


def _verdict(one: Result) -> str:
    if one.judged.outcome == "passed":
        return f"pass, score {one.judged.score:g}"
    return f"**failed**: {one.judged.reason[:300]}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _seconds(value: float) -> str:
    return f"{value:.0f} s"
