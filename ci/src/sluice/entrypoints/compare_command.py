"""`sluice compare`: two runs' evidence → what became worse."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from sluice.compare import Run, compare
from sluice.domain import EVIDENCE_SCHEMA, VERDICT_SCHEMA, Evidence, Verdict, load
from sluice.entrypoints.console import answer, finish, home, say, settings_of, show, shown
from sluice.errors import EvidenceError
from sluice.report.comparison import comparison_tables, summary

_MEMORY = "memory.json"  # the autoscaling suite leaves it: what each pod takes when all is up
_NEWEST = 5

T = TypeVar("T", Evidence, Verdict)


def compare_runs(
    run_a: Annotated[str, typer.Argument(metavar="RUN_A", help="the run that was before")],
    run_b: Annotated[str, typer.Argument(metavar="RUN_B", help="the run that is asked about")],
) -> None:
    """What RUN_B does worse than RUN_A: failing, slower, noisier, larger.

    A run is its id, the last characters of it, its folder, or `latest`: `./nox -s compare -- 0875 latest`.
    Reads evidence.json and verdict.json (and memory.json) of both folders and nothing else.

    Two healthy runs differ too, so a difference counts from a ratio *and* an amount on; the rules stand below the
    tables. Some things are told and not counted, such as tests that are gone and steps of the pipeline.
    Best compared are two runs of all suites on one machine with nothing else to do.

    Exit status: **0** no worse, **1** worse, **2** could not be compared.
    """

    async def work() -> int:
        runs = home(settings_of()) / "runs"
        before, after = (_run(_folder(name, runs)) for name in (run_a, run_b))
        if not before.evidence.tests:
            raise EvidenceError(
                f"{before.evidence.run_id} has nothing to compare with",
                seen="no test ran",
                expected="a run whose suites ran, before the one that is asked about",
                next_command="./nox -s compare -- --help",
            )
        found = compare(before, after)
        verdict, *more = summary(found)
        say(verdict)
        show(*more, "", comparison_tables(found))
        answer(worse=found.worse, summary=" ".join((verdict, *more)), comparison=found)
        return 1 if found.worse else 0

    finish(work)


def _folder(name: str, runs: Path) -> Path:
    """The folder that a name stands for; raises EvidenceError where that is none or not one."""
    if name == "latest":
        return runs.parent / "latest"
    if Path(name).is_dir():
        return Path(name)
    known = sorted((path.name for path in runs.iterdir() if path.is_dir()), reverse=True) if runs.is_dir() else []
    # A run's id ends in four letters that are enough to know it by.
    found = [run for run in known if run == name or (len(name) >= 4 and run.endswith(name))]
    if len(found) == 1:
        return runs / found[0]
    newest = ", ".join(known[:_NEWEST])
    raise EvidenceError(
        f"{name} is no run" if not found else f"{name} may be one of {len(found)} runs",
        seen=", ".join(found) or f"no such folder, and none of the {len(known)} runs in {shown(runs)} ends in it",
        expected=f"a run's id, the end of it, a folder, or latest; the newest: {newest}" if known else "a run's folder",
        next_command=f"ls {shown(runs)}" if known else "./nox -s e2e",
    )


def _run(folder: Path) -> Run:
    evidence = _whole(Evidence, folder / "evidence.json", EVIDENCE_SCHEMA)
    verdict = _whole(Verdict, folder / "verdict.json", VERDICT_SCHEMA)
    if verdict.run_id != evidence.run_id:
        raise EvidenceError(
            f"{shown(folder)}: verdict.json is of another run than evidence.json",
            seen=f"{verdict.run_id} and {evidence.run_id}",
            expected="one run",
            next_command=f"./nox -s gate -- --evidence {shown(folder)}",
        )
    return Run(evidence, verdict, _memory(folder / _MEMORY))


def _whole(kind: type[T], path: Path, schema: str) -> T:
    found = load(kind, path)
    if found.schema != schema:
        raise EvidenceError(
            f"{shown(path)} is of another schema",
            seen=found.schema,
            expected=schema,
            next_command="compare runs that one version of Sluice made",
        )
    return found


def _memory(path: Path) -> Mapping[str, float]:
    """Bytes by workload, where the run measured them; raises EvidenceError for a file that is not whole."""
    if not path.exists():
        return {}
    taken: dict[str, float] = {}
    try:
        for pod in json.loads(path.read_text(encoding="utf-8"))["pods"]:
            name = pod["app"] or pod["name"]
            taken[name] = taken.get(name, 0.0) + float(pod["bytes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvidenceError(
            f"{shown(path)} cannot be read",
            seen=f"{type(error).__name__}: {error}",
            expected="pods, each with its app and bytes",
            next_command=f"rm {shown(path)}, and memory is not compared",
        ) from None
    return taken
