"""incident, slo-report and delivery: what each writes, how it ends, and how wrong usage is told."""

import json
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.unit.gate.samples import EVIDENCE
from typer.testing import CliRunner, Result

from sluice.budgets.month import SloMonth
from sluice.delivery.figures import Figures
from sluice.domain import dump
from sluice.entrypoints import cli, delivery_command, deploy_commands, incident_command, slo_report_command
from sluice.errors import ClusterError, EvidenceError
from sluice.incident.model import SCHEMA, Happening, Incident
from sluice.promotion.model import Target

ROOT = Path(__file__).parents[3]
TARGET = """\
schema = "sluice.target/v1"
cloud = "gke"
registry = { repository = "registry.acme.org/sluice" }
cluster = { context = "acme" }
"""


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "targets").mkdir()
    for name in ("prod", "staging"):
        (tmp_path / "targets" / f"{name}.toml").write_text(TARGET, encoding="utf-8")
    for name in ("release/policy.toml", "release/error-budget.toml", "docs/incidents/template.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(deploy_commands, "Toolbox", lambda *_: None)
    return tmp_path


def sluice(*arguments: str) -> Result:
    result = CliRunner().invoke(cli.app, list(arguments))
    assert "Traceback" not in result.output
    return result


def words(result: Result) -> str:
    return " ".join(result.output.split())


def ago(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() - seconds, UTC).isoformat()


def answer(result: Result) -> dict[str, Any]:
    """The data of the result, with --json."""
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])["data"]
    return found


# incident


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """Whom `incident` asked, and about how long a time."""
    found: list[tuple[str, float]] = []

    async def incident_of(_: object, __: object, ___: object, target: Target, when: Any) -> Incident:
        found.append((target.name, when.seconds))
        told = Happening(when.start, "alert", "Down fires", "service=backend")
        return Incident(SCHEMA, target.name, when.start, when.end, when.end, timeline=(told,))

    monkeypatch.setattr(incident_command, "incident_of", incident_of)
    return found


def test_a_draft_of_a_target_is_written_as_markdown_and_json(tree: Path, asked: list[tuple[str, float]]) -> None:
    result = sluice("incident", "--target", "prod", "--from", ago(3600), "--to", ago(60))
    assert result.exit_code == 0
    assert [(name, round(seconds)) for name, seconds in asked] == [("prod", 3540)]
    (folder,) = (tree / ".sluice" / "incidents").iterdir()
    assert "Down fires" in (folder / "incident.md").read_text(encoding="utf-8")
    assert json.loads((folder / "incident.json").read_bytes())["timeline"][0]["what"] == "Down fires"
    assert "incident.md" in words(result)


def test_it_is_answered_as_json(asked: list[tuple[str, float]]) -> None:
    result = sluice("incident", "--target", "prod", "--from", ago(3600), "--to", ago(60), "-q", "--json")
    assert answer(result)["incident"]["of"] == "prod"


def test_a_run_is_told_without_asking_anybody(tree: Path, asked: list[tuple[str, float]]) -> None:
    folder = tree / "run"
    folder.mkdir()
    (folder / "evidence.json").write_bytes(dump(EVIDENCE))
    result = sluice("incident", "--run", "run")
    assert result.exit_code == 0
    assert asked == []
    (made,) = (tree / ".sluice" / "incidents").iterdir()
    assert f"run {EVIDENCE.run_id}" in (made / "incident.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--from is missing"),
        (["--target", "prod", "--from", "2h ago", "--to", "now"], "--to now: no time"),
        (["--from", ago(3600), "--to", ago(60)], "no target is named"),
        (["--target", "prd", "--from", ago(3600), "--to", ago(60)], "prd"),
        (["--target", "prod", "--run", "run"], "--run run and the target prod"),
        (["--run", "nothing"], "cannot be read"),
    ],
)
def test_wrong_usage_is_told_and_nobody_is_asked(
    tree: Path, asked: list[tuple[str, float]], arguments: list[str], said: str
) -> None:
    result = sluice("incident", *arguments)
    assert result.exit_code == 2
    assert said in words(result)
    assert asked == []
    assert not (tree / ".sluice").exists()


def test_without_a_template_nobody_is_asked(tree: Path, asked: list[tuple[str, float]]) -> None:
    (tree / "docs" / "incidents" / "template.md").unlink()
    result = sluice("incident", "--target", "prod", "--from", ago(3600), "--to", ago(60))
    assert result.exit_code == 2
    assert "docs/incidents/template.md cannot be filled in" in words(result)
    assert asked == []


# slo-report


def month(monkeypatch: pytest.MonkeyPatch, *found: SloMonth | Exception) -> None:
    async def month_on(*_: object, **__: object) -> Sequence[SloMonth | Exception]:
        if isinstance(found[0], Exception):
            raise found[0]
        return found

    monkeypatch.setattr(slo_report_command, "month_on", month_on)


def kept(spent: float = 0.1, *, stage: str = "") -> SloMonth:
    return SloMonth(
        "backend", "latency", 0.99, 1.0, 1000.0, 1.0, 0.999, spent, 1 - spent, stage=stage, rolling_left=0.5
    )


@pytest.mark.parametrize(
    ("found", "status"), [(kept(), 0), (kept(stage="watch"), 0), (kept(1.5), 1), (kept(stage="freeze"), 1)]
)
def test_the_report_of_a_month(tree: Path, monkeypatch: pytest.MonkeyPatch, found: SloMonth, status: int) -> None:
    month(monkeypatch, found)
    result = sluice("slo-report", "--target", "prod", "--month", "2026-01")
    assert result.exit_code == status
    page = (tree / ".sluice" / "slo-reports" / "2026-01-prod.html").read_text(encoding="utf-8")
    assert "backend latency" in page
    told = json.loads((tree / ".sluice" / "slo-reports" / "2026-01-prod.json").read_bytes())
    assert told["objectives"][0]["spent"] == found.spent


def test_a_prometheus_that_is_not_there_is_no_report(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    month(monkeypatch, EvidenceError("Prometheus did not answer x"))
    assert sluice("slo-report", "--target", "prod").exit_code == 2
    assert not (tree / ".sluice" / "slo-reports").exists()


def test_mistakes_of_the_policy_are_told_before_anybody_is_asked(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    month(monkeypatch, AssertionError("asked"))
    path = tree / "release" / "error-budget.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("spent = 1.0", "spent = 0.9"), encoding="utf-8")
    result = sluice("slo-report", "--target", "prod")
    assert result.exit_code == 2
    assert "it passes with >= 0 left" in words(result)


def test_a_month_to_come_is_refused() -> None:
    result = sluice("slo-report", "--target", "prod", "--month", "2999-01")
    assert result.exit_code == 2
    assert "has not begun" in words(result)


# delivery


@pytest.fixture
def delivered(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Targets that cannot be asked."""
    away: set[str] = set()

    async def delivery_of(_: object, __: object, ___: object, target: Target, *, since: float, until: float) -> Figures:
        if target.name in away:
            raise ClusterError("the API server did not answer", seen="timeout")
        return Figures(target.name, since, until, since, 3, 0.1, 3600.0, 5, (), 1, 1 / 3, 60.0, 1)

    monkeypatch.setattr(delivery_command, "delivery_of", delivery_of)
    return away


def test_all_targets_figures_as_a_page_and_as_metrics(tree: Path, delivered: set[str]) -> None:
    result = sluice("delivery", "--days", "30", "--metrics", "delivery.prom")
    assert result.exit_code == 0
    assert "prod, staging" in (tree / ".sluice" / "delivery" / "delivery.html").read_text(encoding="utf-8")
    text = (tree / "delivery.prom").read_text(encoding="utf-8")
    assert 'sluice_delivery_deployments{target="prod"} 3.0' in text
    assert 'sluice_delivery_deployments{target="staging"} 3.0' in text
    assert f'sluice_delivery_window_seconds{{target="prod"}} {30 * 86_400:.0f}' in text.replace(".592e+06", "592000")


def test_one_target_may_be_asked(delivered: set[str]) -> None:
    found = answer(sluice("delivery", "--target", "prod", "--target", "prod", "-q", "--json"))
    assert [one["target"] for one in found["targets"]] == ["prod"]
    assert found["days"] == 90


def test_a_target_that_cannot_be_asked_is_told_and_metrics_stay_as_they_are(tree: Path, delivered: set[str]) -> None:
    delivered.add("staging")
    (tree / "delivery.prom").write_text("before", encoding="utf-8")
    result = sluice("delivery", "--metrics", "delivery.prom")
    assert result.exit_code == 1
    assert "staging could not be asked: the API server did not answer: timeout" in words(result)
    assert (tree / "delivery.prom").read_text(encoding="utf-8") == "before"
    assert "prod" in (tree / ".sluice" / "delivery" / "delivery.html").read_text(encoding="utf-8")


def test_no_target_answers(tree: Path, delivered: set[str]) -> None:
    delivered.update(("prod", "staging"))
    assert sluice("delivery").exit_code == 1
    assert not (tree / ".sluice" / "delivery").exists()


@pytest.mark.parametrize("command", ["incident", "slo-report", "delivery"])
def test_every_help_teaches_what_it_does(command: str) -> None:
    result = sluice(command, "--help")
    assert result.exit_code == 0
    assert "below .sluice/" in words(result).replace("│ ", "")
