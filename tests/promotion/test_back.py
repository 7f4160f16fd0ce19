"""A release that does not do as it should: the target goes back by itself, and says how fast."""

import json
import re

import pytest
from tests.promotion.conftest import ANSWER, ROUTES
from tests.promotion.workspace import Workspace, states

from sluice.entrypoints.deploy_commands import HOME

pytestmark = pytest.mark.anyio


async def test_a_release_that_fails_its_smoke_tests_is_rolled_back(
    workspace: Workspace, on_first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = await workspace.release("bad", {ROUTES: (ANSWER, "        raise RuntimeError  # the fault\n")})
    said = (await workspace.sluice("deploy", "--cloud", "local", "--release", bad)).ended(1).text
    entries = await workspace.ledger()
    assert states(entries, bad) == ["planned", "copied", "deployed", "rolled-back"], said
    assert f"back to {on_first}, verified" in entries[-1].detail
    found = re.search(rf"back to {on_first}, verified ([\d.]+) s after the check that failed", said)
    assert found, said
    with capsys.disabled():  # a measurement, for whoever runs the suite: on two idle cores the bar is 60 s
        print(f"\nrolled back and verified {found[1]} s after the check that failed")
    said = (await workspace.sluice("status", "--cloud", "local")).ended(0).text
    assert on_first in said
    # The evidence of both: what failed, and what it went back to.
    newest = max((workspace.tree / ".sluice" / HOME / "runs").glob("*/smoke"), key=lambda one: one.stat().st_mtime)
    suites = {one.name.rpartition("-")[0]: (one / "junit.xml").read_text() for one in newest.iterdir()}
    assert set(suites) == {bad, on_first}
    assert "<failure" in suites[bad]
    assert "<failure" not in suites[on_first]
    steps = [json.loads(line) for line in (newest.parent / "steps.jsonl").read_text().splitlines()]
    assert "verify rolled back" in {one["name"] for one in steps}


async def test_where_nothing_was_verified_before_there_is_nothing_to_go_back_to(
    workspace: Workspace, on_first: str
) -> None:
    said = (await workspace.sluice("rollback", "--cloud", "local", "--to", "20200101T000000Z-0000")).ended(2).text
    assert "nothing to roll local back to" in said
