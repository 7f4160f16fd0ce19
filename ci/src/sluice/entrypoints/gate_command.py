"""`sluice gate`: evidence → verdict, again and as often as one likes."""

from pathlib import Path
from typing import Annotated

import typer

from sluice.domain import Evidence, dump, load
from sluice.entrypoints.console import finish, out
from sluice.policy import load_policy
from sluice.report.terminal import verdict_table
from sluice.steps.evaluate_gate import evaluate_gate


def gate(
    evidence: Annotated[Path, typer.Option("--evidence", help="the folder of a run")] = Path(".sluice/latest"),
    policy: Annotated[Path, typer.Option("--policy", help="the objectives to judge by")] = Path("release/policy.toml"),
) -> None:
    """Judge a run's evidence again. Reads files only: same evidence and policy, same verdict."""

    async def work() -> int:
        verdict = evaluate_gate(load_policy(policy), load(Evidence, evidence / "evidence.json"))
        (evidence / "verdict.json").write_bytes(dump(verdict))
        out.print(verdict_table(verdict))
        out.print(f"\n{verdict.level.upper()}  score {verdict.score:.0f} of 100", highlight=False)
        return 1 if verdict.level == "fail" else 0

    finish(work)
