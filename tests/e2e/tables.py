"""Tables that a suite leaves in the run's folder: collect_evidence takes them over, the report shows them."""

from pathlib import Path

from sluice.domain import TABLES_FOLDER, SuiteTable, dump
from sluice.steps.run_suites import SuiteContext


def leave_table(context: SuiteContext, table: SuiteTable) -> None:
    """Write a table under its name; one of the same name is replaced."""
    folder = Path(context.evidence_dir) / TABLES_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{table.name}.json").write_bytes(dump(table))
