"""`sluice summary`: a run's folder → a page of Markdown."""

import os
from pathlib import Path
from typing import Annotated

import typer

from sluice.domain import Evidence, Verdict, load
from sluice.entrypoints.conclusion import conclusion
from sluice.entrypoints.console import finish, page, root
from sluice.errors import EvidenceError
from sluice.policy import load_policy
from sluice.report.summary import Links, no_verdict, summary
from sluice.standing import POLICY_COPY


def summarize(
    run: Annotated[Path, typer.Option("--run", help="the folder of a run")] = Path(".sluice/latest"),
    artifact: Annotated[
        str, typer.Option("--artifact", envvar="SLUICE_ARTIFACT", help="https address that the report is read at")
    ] = "",
) -> None:
    """Print a run as Markdown: the verdict, why, each objective, failed tests and how to run them again.

    For a workflow: `./nox -s summary >> "$GITHUB_STEP_SUMMARY"`. The link to its log comes from GITHUB_SERVER_URL,
    GITHUB_REPOSITORY and GITHUB_RUN_ID. The first line is a mark by which a comment is found again. Of a run without
    evidence it says so: the page is printed in any case. Exit status: 0 there is a verdict, 1 there is none.
    """
    links = Links(artifact, _log())

    async def work() -> int:
        try:
            told, status = _of_run(run, links), 0
        except EvidenceError as error:
            told, status = no_verdict(f"{error}", links), 1
        page(told)
        return status

    finish(work)


def _of_run(run: Path, links: Links) -> str:
    """The page of a run that has evidence; raises EvidenceError where it has none."""
    evidence, verdict = load(Evidence, run / "evidence.json"), load(Verdict, run / "verdict.json")
    beside = run / POLICY_COPY
    policy = load_policy(beside if beside.exists() else root() / "release" / "policy.toml")
    return summary(evidence, verdict, conclusion(policy.required_suites, evidence, verdict).text, links)


def _log() -> str:
    """The address of this workflow's run, as GitHub's variables tell it; empty elsewhere."""
    server, repository, number = (
        os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    return f"{server}/{repository}/actions/runs/{number}" if server and repository and number else ""
