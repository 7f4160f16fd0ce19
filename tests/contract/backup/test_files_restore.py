"""A folder comes back out of the repository of files byte for byte; what is not whole is not restored, and says why."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
from tests.contract.backup.conftest import Store


class Keep(Protocol):
    """Runs keep-files.sh with words and variables."""

    def __call__(self, words: Sequence[str | Path], **more: str) -> subprocess.CompletedProcess[str]:
        """Return how it ended."""
        ...


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(found, dict)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is kept: names and contents of several kinds."""
    made = tmp_path / "kept"
    (made / "chunks" / "with a blank").mkdir(parents=True)
    (made / "chunks" / "with a blank" / "one").write_bytes(os.urandom(300_000))
    (made / "wal").write_bytes(b"")
    (made / "meta.json").write_text('{"marked": true}')
    return made


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where it is restored to."""
    made = tmp_path / "target"
    made.mkdir()
    return made


def objects(store: Store, tmp_path: Path) -> Path:
    return store.objects / "sluice" / tmp_path.name


def test_what_was_kept_comes_back_byte_for_byte(restic: Keep, folder: Path, target: Path) -> None:
    kept = told(restic(["back-up", "loki", folder]))
    (folder / "meta.json").write_text("changed")
    newer = told(restic(["back-up", "loki", folder]))
    other = folder / "chunks"
    told(restic(["back-up", "kafka", other]))  # of another name: not what is asked for
    (target / "lost+found").mkdir()
    assert newer["sha256"] != kept["sha256"]
    assert newer["kept"] == newer["sha256"]
    assert told(restic(["restore", "loki", target])) == newer
    assert (target / "chunks/with a blank/one").read_bytes() == (folder / "chunks/with a blank/one").read_bytes()
    assert restic(["verify", "loki"]).returncode == 0


def test_nothing_in_the_store_can_be_read_without_the_key(
    restic: Keep, folder: Path, store: Store, tmp_path: Path
) -> None:
    told(restic(["back-up", "loki", folder]))
    text = b"".join(path.read_bytes() for path in objects(store, tmp_path).rglob("*") if path.is_file())
    assert len(text) > 300_000
    assert b"marked" not in text
    assert b"meta.json" not in text


def test_a_wrong_key_opens_nothing_and_makes_nothing_new(
    restic: Keep, folder: Path, target: Path, tmp_path: Path
) -> None:
    told(restic(["back-up", "loki", folder]))
    (tmp_path / "secrets" / "passphrase").write_text("another\n")
    done = restic(["restore", "loki", target])
    assert done.returncode != 0
    assert "wrong password" in done.stderr
    again = restic(["back-up", "loki", folder])
    assert again.returncode != 0
    assert "already" in again.stderr
    assert list(target.iterdir()) == []


def test_a_truncated_object_is_found_before_and_while_restoring(
    restic: Keep, folder: Path, target: Path, store: Store, tmp_path: Path
) -> None:
    told(restic(["back-up", "loki", folder]))
    largest = max(objects(store, tmp_path).glob("loki/data/*/*"), key=lambda path: path.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 2)
    verified = restic(["verify", "loki"])
    assert verified.returncode != 0, verified.stdout
    done = restic(["restore", "loki", target])
    assert done.returncode != 0, done.stdout
    assert "is not whole" in done.stderr
    assert list(target.iterdir()) == [], "one that was restored in part would be taken for a whole one"


def test_of_a_folder_that_is_written_to_a_copy_is_kept(restic: Keep, folder: Path, target: Path) -> None:
    (folder / "recovery-point-offset-checkpoint").write_text("0")
    (folder / ".kafka_cleanshutdown").write_text("")
    kept = told(restic(["back-up-live", "kafka", folder], AGAIN="1", PAUSE_SECONDS="0"))
    assert told(restic(["restore", "kafka", target / "below"])) == kept
    names = {path.name for path in (target / "below").rglob("*") if path.is_file()}
    assert names == {"one", "wal", "meta.json", "recovery-point-offset-checkpoint"}


def test_what_a_program_put_there_when_asked_is_kept_and_removed(restic: Keep, folder: Path, target: Path) -> None:
    (folder / "20261126T120000Z-1").mkdir()
    (folder / "20261126T120000Z-1" / "block").write_text("marked")
    answer = target.parent / "answer.json"
    answer.write_text('{"status":"success","data":{"name":"20261126T120000Z-1"}}')
    done = restic(["back-up-snapshot", "prometheus", folder], SNAPSHOT_URL=f"file://{answer}")
    assert told(done)["files"] == 1
    assert not (folder / "20261126T120000Z-1").exists()
    assert (folder / "wal").exists()
    answer.write_text('{"status":"error","error":"admin APIs disabled"}')
    refused = restic(["back-up-snapshot", "prometheus", folder], SNAPSHOT_URL=f"file://{answer}")
    assert refused.returncode == 69
    assert "admin API" in refused.stderr


def test_a_target_that_is_not_empty_is_left_as_it_is(restic: Keep, folder: Path, target: Path) -> None:
    told(restic(["back-up", "loki", folder]))
    (target / "somebody's").write_text("work")
    done = restic(["restore", "loki", target])
    assert done.returncode == 73
    assert "is not empty" in done.stderr
    assert [path.name for path in target.iterdir()] == ["somebody's"]


def test_what_is_not_there_is_told(restic: Keep, folder: Path, target: Path) -> None:
    told(restic(["back-up", "kafka", folder]))
    done = restic(["restore", "loki", target])
    assert done.returncode == 66
    assert "no snapshot of loki" in done.stderr
    empty = restic(["back-up", "kafka", target])
    assert empty.returncode == 66
    assert "nothing to back up" in empty.stderr
