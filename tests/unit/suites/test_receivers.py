"""The receivers of the drills' alerts: what they kept outlives their process, and so do its numbers."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "k8s-fixtures" / "alert-receivers" / "receivers.py"


def process(record: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a process of its own would have it, started where `record` is."""
    monkeypatch.setenv("RECEIVERS_RECORD", str(record))
    spec = importlib.util.spec_from_file_location("receivers", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.recall(record)
    return module


def seen(module: ModuleType) -> list[tuple[int, str]]:
    return [(one["number"], one["alert"]) for one in module.record]


def test_a_new_process_goes_on_where_the_last_one_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "record.jsonl"
    process(record, monkeypatch).keep("slack", "firing", "First", "default", "backend", "text")
    second = process(record, monkeypatch)
    second.keep("slack", "resolved", "Second", "default", "backend", "text")
    assert seen(second) == [(1, "First"), (2, "Second")]


def test_a_line_that_was_cut_is_left_out_and_harms_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "record.jsonl"
    process(record, monkeypatch).keep("slack", "firing", "First", "default", "backend", "text")
    with record.open("a") as file:
        file.write('{"number": 2, "alert": "Cu')
    process(record, monkeypatch).keep("slack", "firing", "Third", "default", "backend", "text")
    assert seen(process(record, monkeypatch)) == [(1, "First"), (2, "Third")]
