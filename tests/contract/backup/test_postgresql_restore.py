"""A server that is lost comes back out of its repository; what is not whole is not restored, and says why."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.backup.rigs import PASSPHRASE, Archived
from tests.contract.postgresql.conftest import SUPERUSERS_PASSWORD

Make = Callable[[], Archived]
SEGMENTS, FILES = "archive/main/*/*/*", "backup/main/*F/bundle/*"
MARKED = "SELECT md5(string_agg(marked::text, E'\\n' ORDER BY id)), count(*) FROM marked"


def kept(server: Archived) -> Archived:
    """Start it, back it up, and have three segments after that: `first`, `second`, `third`."""
    server.start()
    server.back_up()
    for mark in ("first", "second", "third"):
        server.write(100, mark)
    return server


@pytest.fixture(scope="module")
def lost(make_server: Make) -> Archived:
    """A server that was lost, and can be restored by whoever wants to try; tests leave its repository as it was."""
    server = kept(make_server())
    server.lose()
    return server


@pytest.fixture
def trial(lost: Archived, tmp_path: Path) -> Iterator[Archived]:
    """A folder of its own to restore into."""
    server = replace(lost, data=tmp_path.name, process=None)
    yield server
    assert not (server.home / server.data).exists(), "what is not whole is not put where the server looks"


@contextmanager
def restored(server: Archived, *words: str) -> Iterator[dict[str, object]]:
    """Restore and start it; gives what restore.sh told."""
    done = server.script("restore.sh", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    server.start()
    try:
        yield json.loads(done.stdout.splitlines()[-1])
    finally:
        server.stop()


def test_what_was_archived_is_back_again_and_again(make_server: Make) -> None:
    server = kept(make_server())
    (before,) = server.ask(MARKED).splitlines()
    server.lose()
    (server.home / "password").write_text("of today\n")
    with restored(server, "latest") as told:
        assert set(told) == {"segment", "lsn", "last_commit"}
        old = server.psql("--command=SELECT 1")
        assert "authentication failed" in old.stderr, "the superuser has the password of today"
        words = ("--tuples-only", "--no-align")
        assert server.psql(*words, f"--command={MARKED}", password="of today").stdout.strip() == before
        assert "of today" not in server.log()
        server.psql("--command=ALTER ROLE postgres PASSWORD 'superuser''s own'", password="of today")
        (server.home / "password").write_text(SUPERUSERS_PASSWORD)
        server.write(10, "fourth")
        before = server.ask(MARKED)
        server.lose()
    with restored(server, "latest"):
        assert server.ask(MARKED) == before


def test_a_moment_is_gone_back_to(make_server: Make) -> None:
    server = kept(make_server())
    moment = server.ask("SELECT min(at) FROM marked WHERE mark = 'third'")
    server.lose()
    with restored(server, moment):
        assert server.ask("SELECT string_agg(DISTINCT mark, ',' ORDER BY mark) FROM marked") == "first,second"


def test_a_target_that_is_not_empty_is_left_as_it_is(make_server: Make) -> None:
    server = make_server()
    (server.home / "data").mkdir()
    (server.home / "data" / "somebody's").write_text("work")
    done = server.script("restore.sh", "latest")
    assert done.returncode == 73
    assert "is not empty" in done.stderr
    assert [path.read_text() for path in (server.home / "data").iterdir()] == ["work"]


def test_on_trial_the_repository_stays_as_it_is_and_nothing_is_left(trial: Archived) -> None:
    objects = trial.repository.files("**/*")
    done = trial.script("restore.sh", "--check", "latest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["last_commit"] > time.time() - 600
    assert trial.repository.files("**/*") == objects
    assert [path.name for path in trial.home.iterdir() if path.name.startswith(trial.data)] == []
    verified = trial.script("verify-backup.sh")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_missing_segment_is_found_before_and_while_restoring(trial: Archived) -> None:
    with trial.damaged(SEGMENTS, Path.unlink):
        verified = trial.script("verify-backup.sh")
        assert verified.returncode == 1
        assert "missing: 1 between" in verified.stdout
        assert "WAL is missing" in verified.stderr
        objects = trial.repository.files("**/*")
        done = trial.script("restore.sh", "latest")
        assert done.returncode == 65
        assert "a segment between them is missing" in done.stderr
        assert trial.repository.files("**/*") == objects, "a timeline of a restore that failed would be followed later"


@pytest.mark.parametrize("pattern", [SEGMENTS, FILES], ids=["segment", "files"])
def test_a_truncated_object_is_found_before_and_while_restoring(trial: Archived, pattern: str) -> None:
    with trial.damaged(pattern, lambda path: os.truncate(path, path.stat().st_size // 2)):
        verified = trial.script("verify-backup.sh")
        assert verified.returncode == 1
        assert "not whole" in verified.stderr
        done = trial.script("restore.sh", "latest")
        assert done.returncode != 0, done.stdout


def test_a_wrong_key_opens_nothing(trial: Archived) -> None:
    trial.tell("another passphrase")
    try:
        done = trial.script("restore.sh", "latest")
    finally:
        trial.tell()
    assert done.returncode != 0
    assert "cipher" in done.stdout + done.stderr, done.stdout + done.stderr
    assert PASSPHRASE not in done.stdout + done.stderr


def test_nothing_in_the_store_can_be_read_without_the_key(lost: Archived) -> None:
    text = b"".join(path.read_bytes() for path in lost.repository.files("**/*") if path.is_file())
    assert len(text) > 1_000_000
    assert b"marked" not in text
    assert b"db-system-id" not in text


def test_a_repository_without_a_backup_is_told(make_server: Make) -> None:
    done = make_server().script("restore.sh", "latest")
    assert done.returncode == 66
    assert "no backup" in done.stderr


def test_without_a_repository_nothing_is_archived(make_server: Make) -> None:
    server = make_server()
    (server.home / "conf.d" / "repository.conf").unlink()
    server.start()
    assert server.ask("SHOW archive_mode") == "off"
