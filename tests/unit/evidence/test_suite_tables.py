"""Tables that suites leave: taken over whole, masked, and none of them stops the evidence."""

from pathlib import Path

import pytest
from tests.e2e.tables import leave_table

from sluice.domain import TABLES_FOLDER, Evidence, SuiteTable, dump, load
from sluice.policy import Policy
from sluice.steps.collect_evidence import RunFacts, collect_evidence
from sluice.steps.run_suites import ServiceAddress, SuiteContext

pytestmark = pytest.mark.anyio

ADDRESS = ServiceAddress("monitoring", "prometheus", 9090)
TABLE = SuiteTable("panels", "Panels", ("Panel", "Data"), (("Requests", "3 series"), ("Errors", "password=hunter2")))


def context(folder: Path) -> SuiteContext:
    return SuiteContext("run-1", "kubeconfig", "default", {}, ADDRESS, ADDRESS, ADDRESS, evidence_dir=str(folder))


async def collected(folder: Path) -> tuple[Evidence, list[str]]:
    said: list[str] = []
    evidence = await collect_evidence(
        RunFacts(run_id="run-1", started=0.0, runtime="docker"),
        policy=Policy(schema="sluice.policy/v1", required_suites=(), objectives=()),
        metrics=None,
        logs=None,
        namespace="default",
        evidence_dir=folder,
        ended=1.0,
        say=said.append,
    )
    return evidence, said


async def test_what_a_suite_left_is_in_the_evidence_without_its_secrets(tmp_path: Path) -> None:
    leave_table(context(tmp_path), TABLE)
    leave_table(context(tmp_path), SuiteTable("alerts", "Alerts", ("Alert",), ()))
    evidence, said = await collected(tmp_path)
    assert [table.name for table in evidence.tables] == ["alerts", "panels"]
    assert evidence.tables[1].rows == (("Requests", "3 series"), ("Errors", "password=***"))
    assert said == []
    (tmp_path / "evidence.json").write_bytes(dump(evidence))
    assert load(Evidence, tmp_path / "evidence.json").tables == evidence.tables


async def test_what_is_no_table_is_said_and_the_others_stay(tmp_path: Path) -> None:
    leave_table(context(tmp_path), TABLE)
    (tmp_path / TABLES_FOLDER / "broken.json").write_text('{"name": "broken"}')
    (tmp_path / TABLES_FOLDER / "large.json").write_text(" " * 600_000)
    evidence, said = await collected(tmp_path)
    assert [table.name for table in evidence.tables] == ["panels"]
    assert [line.partition(" ")[0] for line in said] == ["no", "large.json"]
    assert "broken.json" in said[0]


async def test_evidence_of_before_there_were_tables_can_still_be_read(tmp_path: Path) -> None:
    evidence, _ = await collected(tmp_path)
    text = dump(evidence).decode().replace('"tables": []', '"more": []')
    assert '"tables"' not in text
    (tmp_path / "evidence.json").write_text(text)
    assert load(Evidence, tmp_path / "evidence.json").tables == ()
