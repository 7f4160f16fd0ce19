"""This host's copy of a ledger: grows, is never shortened, and what is not whole is told."""

from errno import ENOSPC
from pathlib import Path

import pytest

from sluice.errors import LedgerError
from sluice.promotion.ledger import Entry, State, append, to_lines
from sluice.promotion.ledger_file import keep_copy, read_copy


def ledger() -> tuple[Entry, ...]:
    entries: tuple[Entry, ...] = ()
    states: tuple[State, ...] = ("planned", "copied", "deployed", "verified")
    for state in states:
        entries = append(entries, Entry(0, 100.0, "gke", "p1", "sha256:1", "r", state, "Ada"))
    return entries


WHOLE = ledger()


def test_a_copy_is_made_grows_and_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "promotions" / "gke.jsonl"
    assert read_copy(path) == ()
    keep_copy(path, ())
    assert not path.exists()
    for count in (1, 4):
        keep_copy(path, WHOLE[:count])
        assert read_copy(path) == WHOLE[:count]
    assert path.read_text(encoding="utf-8") == to_lines(WHOLE)


def test_what_another_process_saw_in_the_meantime_stays(tmp_path: Path) -> None:
    path = tmp_path / "gke.jsonl"
    keep_copy(path, WHOLE)
    keep_copy(path, WHOLE[:2])
    assert read_copy(path) == WHOLE


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (to_lines(WHOLE[1:]).encode(), "entry 1 says that it is number 2"),
        (to_lines(WHOLE)[:-30].encode(), "line 4 is no entry"),
        (to_lines(WHOLE).replace("Ada", "Eve").encode(), "entry 1 is not what its digest"),
        (b"\xff\n", "can't decode byte 0xff"),
    ],
)
def test_a_copy_that_is_not_whole_is_told(tmp_path: Path, content: bytes, seen: str) -> None:
    path = tmp_path / "gke.jsonl"
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="is not what Sluice wrote") as caught:
        read_copy(path)
    assert seen in caught.value.seen
    assert f"mv {path} " in caught.value.next_command


def test_a_copy_that_cannot_be_read_or_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LedgerError, match="cannot be read: Is a directory"):
        read_copy(tmp_path)

    def full(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr("sluice.promotion.ledger_file.write_atomically", full)
    with pytest.raises(LedgerError, match="cannot be written") as caught:
        keep_copy(tmp_path / "gke.jsonl", WHOLE)
    assert caught.value.seen == "No space left on device"
