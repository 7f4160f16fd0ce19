"""After a release that had to go back: the timeline of that time, the delivery figures, the report of the month."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.promotion.conftest import ANSWER, ROUTES
from tests.promotion.workspace import Workspace

pytestmark = pytest.mark.anyio


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def data(text: str) -> dict[str, Any]:
    """What a command answered with --json."""
    found: dict[str, Any] = json.loads(text.splitlines()[-1])["data"]
    return found


async def test_a_provoked_incident_is_told_in_order_and_counted(workspace: Workspace, on_first: str) -> None:
    begin = time.time()
    # Each request fails, and says so in the log.
    bad = await workspace.release("worst", {ROUTES: (ANSWER, "        raise RuntimeError('the worst fault')\n")})
    (await workspace.sluice("deploy", "--cloud", "local", "--release", bad)).ended(1)
    told = await workspace.sluice(
        "incident", "--target", "local", "--from", moment(begin), "--to", moment(time.time()), "-q", "--json"
    )
    found = data(told.ended(0).text)
    incident = found["incident"]
    happened = incident["timeline"]
    assert [one["at"] for one in happened] == sorted(one["at"] for one in happened)
    promoted = [one["what"] for one in happened if one["kind"] == "promotion"]
    assert promoted[0] == f"release {bad}: promotion begins"
    assert promoted[-1] == f"release {bad}: rolled back"
    assert any(one["kind"] == "kubernetes" and "ScalingReplicaSet" in one["what"] for one in happened)
    spikes = [one for one in happened if one["kind"] == "log spike" and "/backend/" in one["where"]]
    assert any("the worst fault" in one["more"] or "RuntimeError" in one["more"] for one in spikes), happened
    unanswered = {one["what"] for one in incident["missing"]}
    asked = ("alerts of Prometheus", "what Alertmanager holds", "promotions (the ledger)", "restarts of containers")
    assert unanswered.isdisjoint({*asked, "events of Kubernetes", "log spikes (Loki)", "what is secret on the target"})
    page = (workspace.tree / found["draft"]).read_text(encoding="utf-8")
    assert "## Action items" in page
    assert bad in page

    metrics = workspace.tree / "delivery.prom"
    said = await workspace.sluice("delivery", "--target", "local", "--metrics", str(metrics), "-q", "--json")
    (figures,) = data(said.ended(0).text)["targets"]
    entries = await workspace.ledger()
    assert figures["deployments"] >= 2
    assert figures["failed"] >= 1
    assert 0 < figures["recovery_time"] < time.time() - entries[0].at
    assert figures["lead_time"] > 0, figures["commits_unknown"]
    values = {
        sample.name: sample.value
        for family in text_string_to_metric_families(metrics.read_text(encoding="utf-8"))  # type: ignore[no-untyped-call]
        for sample in family.samples
    }
    assert values["sluice_delivery_deployments_failed"] == figures["failed"]


async def test_the_report_of_the_month_says_how_little_a_young_target_knows(
    workspace: Workspace, on_first: str
) -> None:
    said = await workspace.sluice("slo-report", "--target", "local", "-q", "--json")
    if said.status == 2:  # in the first hour of a month
        assert "is not an hour old" in said.text
        return
    found = data(said.text)
    objectives = {(one["service"], one["name"]): one for one in found["objectives"]}
    assert ("backend", "availability") in objectives
    for one in objectives.values():
        assert one["coverage"] < 0.9, "a target of today has no month behind it"
        assert one["attained"] is None or one["events"] > 0
    page = Path(workspace.tree / found["report"]).read_text(encoding="utf-8")
    assert "Data is there for a part of the time only" in page
