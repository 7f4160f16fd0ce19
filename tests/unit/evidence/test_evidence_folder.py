"""On a disk that is full evidence.json comes first, whole or not at all, and the loss is said."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.core.support import FakeProgress
from tests.unit.evidence.full_disk import full_disk
from tests.unit.gate.samples import instead

from sluice import evidence_folder
from sluice.domain import Evidence, Measurement, Series, dump, load
from sluice.evidence_folder import EvidenceFolder
from sluice.files import append_line, whole_lines, write_atomically
from sluice.masking import masker
from sluice.run import Run
from sluice.steps.tidy_evidence import Bounds

BOUNDS = Bounds(file=1_000_000, total=10_000_000)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, FakeProgress())


def sample(points: int = 0) -> Evidence:
    one = Measurement("x", "promql", "x", "s", 1.0, 1.0, (0.5,), 3, series=(Series({}, ((1.0, 2.0),) * points),))
    return replace(instead(), measurements=(one,))


def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, b"old")
    full_disk(monkeypatch, tmp_path, 100)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"n" * 98)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path], "nothing is left of the try"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_what_is_private_is_so_from_its_first_byte_whatever_a_killed_process_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "key", list[int]()
    (tmp_path / f".key.{os.getpid()}").touch(mode=0o644)

    def synced(number: int) -> None:
        seen.append(os.fstat(number).st_mode & 0o777)

    monkeypatch.setattr("os.fsync", synced)
    write_atomically(path, b"secret", private=True)
    assert (seen, path.stat().st_mode & 0o777, path.read_bytes()) == ([0o600], 0o600, b"secret")


def test_a_line_after_one_that_was_cut_begins_on_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    assert list(whole_lines(path)) == []
    append_line(path, "one")
    path.write_bytes(path.read_bytes() + b"tw")  # killed here
    assert list(whole_lines(path)) == ["one"]
    append_line(path, "three")
    assert list(whole_lines(path)) == ["one", "tw", "three"]


def test_what_is_reserved_is_there_for_the_evidence(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(evidence_folder, "_RESERVED_BYTES", 50_000)
    full_disk(monkeypatch, tmp_path, 60_000)
    folder = EvidenceFolder(run, BOUNDS)
    folder.reserve()
    assert not run.write(run.folder / "other", b"x" * 20_000), "the rest of the disk is full"
    folder.tidy(masker(), ())
    evidence = sample(100)
    assert folder.write_evidence(evidence) == evidence
    assert load(Evidence, run.folder / "evidence.json") == evidence
    assert folder.cut == []


def test_where_there_is_still_no_room_logs_go_first(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (run.folder / "failure" / "logs").mkdir(parents=True)
    (run.folder / "failure" / "logs" / "pod.log").write_bytes(b"x\n" * 20_000)
    full_disk(monkeypatch, tmp_path, 45_000)
    evidence = sample(100)
    assert len(dump(evidence)) > 5_000
    written = EvidenceFolder(run, BOUNDS).write_evidence(evidence)
    assert written.cut == ("failure/logs: removed, so that evidence.json has room on a full disk",)
    assert load(Evidence, run.folder / "evidence.json") == written
    assert written.measurements == evidence.measurements
    assert "failure/logs: removed" in (run.folder / "cut.txt").read_text(encoding="utf-8")


def test_then_plots_and_no_number_is_lost(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    evidence = sample(5_000)
    full_disk(monkeypatch, tmp_path, 20_000)
    written = EvidenceFolder(run, BOUNDS).write_evidence(evidence)
    assert written.measurements[0].values == (0.5,)
    assert written.measurements[0].series == ()
    assert written.cut[-1] == "evidence.json: without plots and tables: the disk is full"
    assert load(Evidence, run.folder / "evidence.json") == written


def test_with_no_room_at_all_it_is_said_and_nothing_is_half(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    full_disk(monkeypatch, tmp_path, 10)
    EvidenceFolder(run, BOUNDS).write_evidence(sample(5_000))
    assert not (run.folder / "evidence.json").exists()
    progress = run.progress
    assert isinstance(progress, FakeProgress)
    assert "evidence.json is not written: No space left on device" in str(progress.said)
