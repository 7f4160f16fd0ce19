"""The way that all goes well: plan, promotion, status, and back."""

import re

import httpx
import pytest
from tests.promotion.workspace import Workspace, states

pytestmark = pytest.mark.anyio
WHOLE = ["planned", "copied", "deployed", "verified"]


async def test_the_first_release_is_verified_state_by_state(workspace: Workspace, first: str) -> None:
    entries = await workspace.ledger()
    its_own = next(one.promotion for one in entries if one.release_id == first)  # others came after it
    assert [one.state for one in entries if one.promotion == its_own] == WHOLE
    said = (await workspace.sluice("history", "--cloud", "local")).ended(0)
    assert first in said.text


async def test_everything_that_is_deployed_runs_by_digest_out_of_the_targets_registry(
    workspace: Workspace, on_first: str, target_cluster: httpx.AsyncClient
) -> None:
    fixtures = {"postgresql", "postgres-exporter", "kafka", "kafka-exporter", "jmx-exporter", "daprd"}
    for namespace in ("monitoring", "logging", "default"):
        for image in await workspace.pods_images(target_cluster, namespace):
            assert re.fullmatch(r"localhost:(5443/sluice|5001)/[a-z-]+@sha256:[0-9a-f]{64}", image), image
            if image.startswith("localhost:5001/"):  # what stands for the cloud's own database and broker
                assert image.split("/")[1].split("@")[0] in fixtures


async def test_a_dry_run_says_what_would_change_and_changes_nothing(
    workspace: Workspace, on_first: str, second: str
) -> None:
    before = await workspace.ledger()
    said = (await workspace.sluice("deploy", "--cloud", "local", "--release", second, "--dry-run")).ended(0).text
    assert f"local: {on_first} → {second}" in said
    assert re.search(r"│ backend +│ sha256:\w+ +│ sha256:\w+ +│", said), said
    assert "images: 1 change, " in said
    assert "chart backend: 1 changed: Deployment/backend" in said or "Deployment/backend" in said
    assert "chart audit: as it is" in said
    assert await workspace.ledger() == before


async def test_the_next_release_is_promoted_and_the_status_says_so(
    workspace: Workspace, on_second: str, target_cluster: httpx.AsyncClient
) -> None:
    assert states(await workspace.ledger(), on_second) == WHOLE
    said = (await workspace.sluice("status", "--cloud", "local")).ended(0).text
    assert on_second in said
    assert "nothing" in said
    edit = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 61}}}}
    path, kind = "/apis/apps/v1/namespaces/default/deployments/audit", "application/merge-patch+json"
    (await target_cluster.patch(path, json=edit, headers={"Content-Type": kind})).raise_for_status()
    said = (await workspace.sluice("status", "--cloud", "local")).ended(1).text
    assert "audit: Deployment audit was edited" in said, "somebody changed it by hand"


async def test_a_rollback_goes_back_to_what_was_verified_before(
    workspace: Workspace, first: str, on_second: str
) -> None:
    said = (await workspace.sluice("rollback", "--cloud", "local")).ended(0).text
    entries = await workspace.ledger()
    assert states(entries, first) == WHOLE
    assert entries[-1].why == "rollback", said
    said = (await workspace.sluice("status", "--cloud", "local")).ended(0).text
    assert first in said, "what was edited by hand is as it was promoted again"
