"""`kill -9` at every state, and run again: it goes on from where it was, or is undone. One at a time, too."""

from collections.abc import Sequence

import anyio
import httpx
import pytest
from tests.promotion.workspace import Said, Workspace, states

from sluice.promotion.ledger import Entry, verified

pytestmark = pytest.mark.anyio
# The line after which it is killed, and the state that the ledger has it in then.
MOMENTS = {
    "before anything is written": (r"^▶ plan", None),
    "planned": (r"^▶ copy images", "planned"),
    "copied": (r"^▶ deploy", "copied"),
    "deployed": (r"^▶ verify", "deployed"),
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_promotion_that_is_killed_is_finished_by_running_it_again(
    workspace: Workspace, first: str, second: str, moment: str
) -> None:
    line, state = MOMENTS[moment]
    before = await workspace.ledger()
    release = _other(before, first, second)
    deploy = ("deploy", "--cloud", "local", "--release", release)
    await workspace.killed_at(line, *deploy)
    after = await workspace.ledger()
    assert (after[-1].state if len(after) > len(before) else None) == state
    said = (await workspace.sluice(*deploy)).ended(0).text
    entries = await workspace.ledger()
    assert states(entries, release) == ["planned", "copied", "deployed", "verified"]
    left = list((workspace.tree / ".sluice" / "promotions" / "runs").rglob("kubeconfig"))
    assert left == [], "no credentials are left behind, of the one that was killed neither"
    assert (f"it was {state} when it was stopped" in said) is (state is not None)


async def test_one_that_is_killed_in_the_middle_of_a_chart_is_finished_too(
    workspace: Workspace, first: str, second: str, target_cluster: httpx.AsyncClient
) -> None:
    release = _other(await workspace.ledger(), first, second)
    deploy = ("deploy", "--cloud", "local", "--release", release)

    async def helm_is_at_it() -> bool:
        query = {"labelSelector": "owner=helm,name=backend,status=pending-upgrade"}
        answer = await target_cluster.get("/api/v1/namespaces/default/secrets", params=query)
        return bool(answer.raise_for_status().json()["items"])

    await workspace.killed_when(helm_is_at_it, *deploy)
    assert await helm_is_at_it(), "it was left half-way"
    (await workspace.sluice(*deploy)).ended(0)
    assert states(await workspace.ledger(), release) == ["planned", "copied", "deployed", "verified"]


def _other(entries: Sequence[Entry], first: str, second: str) -> str:
    """The release that does not run."""
    runs = verified(entries)
    assert runs
    return second if runs.release_id == first else first


async def test_a_promotion_that_was_killed_stands_against_another_and_can_be_undone(
    workspace: Workspace, on_first: str, second: str
) -> None:
    await workspace.killed_at(r"^▶ verify", "deploy", "--cloud", "local", "--release", second)
    said = (await workspace.sluice("deploy", "--cloud", "local", "--release", on_first)).ended(2).text
    assert "local is in the middle of another promotion" in said
    assert second in said
    (await workspace.sluice("rollback", "--cloud", "local")).ended(0)
    entries = await workspace.ledger()
    assert states(entries, second) == ["planned", "copied", "deployed", "rolled-back"]
    said = (await workspace.sluice("status", "--cloud", "local")).ended(0).text
    assert on_first in said


async def test_of_two_promotions_at_once_one_is_refused(workspace: Workspace, on_first: str, second: str) -> None:
    ended: list[Said] = []

    async def promote() -> None:
        ended.append(await workspace.sluice("deploy", "--cloud", "local", "--release", second))

    before = len(await workspace.ledger())
    async with anyio.create_task_group() as group:
        group.start_soon(promote)
        group.start_soon(promote)
    refused, done = sorted(ended, key=lambda one: -one.status)
    assert (refused.status, done.status) == (2, 0), f"{refused.text}\n{done.text}"
    assert "another promotion is under way" in refused.text
    assert [one.state for one in (await workspace.ledger())[before:]] == ["planned", "copied", "deployed", "verified"]


async def test_a_registry_that_goes_away_in_the_middle_changes_nothing_and_the_next_try_goes_through(
    workspace: Workspace, on_second: str, first: str
) -> None:
    third = await workspace.release("third", {"services/sync/src/sync/__init__.py": ('"""', '"""Third. ')})
    registry = "sluice-target-registry"
    deploy = workspace.sluice("deploy", "--cloud", "local", "--release", third)
    ended: list[Said] = []

    async def promote() -> None:
        ended.append(await deploy)

    before = len(await workspace.ledger())
    async with anyio.create_task_group() as group:
        group.start_soon(promote)
        with anyio.fail_after(120):  # planned is written when all checks are done, right before the copy
            while len(await workspace.ledger()) == before:
                await anyio.sleep(0.1)
        await anyio.run_process(["docker", "stop", "--time", "0", registry])
    try:
        said = ended[0].ended(1).text
        assert states(await workspace.ledger(), third) == ["planned", "failed"], said
    finally:
        await anyio.run_process(["docker", "start", registry])
    (await workspace.sluice("deploy", "--cloud", "local", "--release", third)).ended(0)
    assert states(await workspace.ledger(), third) == ["planned", "copied", "deployed", "verified"]
