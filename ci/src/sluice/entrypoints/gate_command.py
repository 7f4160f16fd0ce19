"""`sluice gate`: evidence → verdict, again and as often as one likes."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sluice.domain import Evidence, dump, load
from sluice.entrypoints.console import answer, finish, say, show, shown
from sluice.files import write_atomically
from sluice.policy import load_overrides, load_policy
from sluice.report.explain import explained
from sluice.report.terminal import verdict_line, verdict_table
from sluice.standing import POLICY_COPY
from sluice.steps.evaluate_gate import evaluate_gate

_TREE_POLICY = Path("release/policy.toml")


def gate(
    evidence: Annotated[Path, typer.Option("--evidence", help="the folder of a run")] = Path(".sluice/latest"),
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="the objectives to judge by; without it those beside the evidence"),
    ] = None,
    overrides: Annotated[
        Path | None,
        typer.Option("--overrides", help="who answers for what fails; written down in the evidence"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="write nothing")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="each objective with query, window, values, baseline, criterion and score")
    ] = False,
) -> None:
    """Judge a run's evidence again: **pass**, **warn** or **fail**, with every number it rests on.

    Reads files only, never a cluster: evidence.json and policy.toml of the run's folder give the same verdict.json,
    byte for byte, on any day. `--policy release/policy.toml` tries another policy on the same evidence; that file is
    then copied beside it, unless it is a `--dry-run`. What is missing or broken fails; release/README.md says how the
    score comes about. Exit status: 0 pass or warn, 1 fail, 2 there is nothing to judge.
    """

    async def work() -> int:
        beside = evidence / POLICY_COPY
        chosen = policy or (beside if beside.exists() else _TREE_POLICY)
        asked = load_policy(chosen)
        found = load(Evidence, evidence / "evidence.json")
        if overrides:
            found = replace(found, overrides=load_overrides(overrides, asked.objectives, now=time.time()))
        verdict = evaluate_gate(asked, found)
        if not dry_run:
            _write(evidence, chosen, found if overrides else None)
            write_atomically(evidence / "verdict.json", dump(verdict))
        if explain:
            show(explained(asked, found, verdict))
        show(verdict_table(verdict))
        written = "nothing written" if dry_run else f"verdict: {shown(evidence / 'verdict.json')}"
        show(f"\njudged by {shown(chosen)}; {written}")
        say(verdict_line(verdict))
        answer(verdict=verdict, policy=shown(chosen), evidence=shown(evidence), written=not dry_run)
        return 1 if verdict.level == "fail" else 0

    finish(work)


def _write(folder: Path, chosen: Path, evidence: Evidence | None) -> None:
    """Put beside the verdict what it was computed from, where that is not there yet."""
    if evidence:
        write_atomically(folder / "evidence.json", dump(evidence))
    if chosen.resolve() != (folder / POLICY_COPY).resolve():
        write_atomically(folder / POLICY_COPY, chosen.read_bytes())
