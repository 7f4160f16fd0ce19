"""Keys of back-ups: made once, nobody else's to read, and never replaced where a file holds none."""

import configparser
import stat
from pathlib import Path

import pytest

from sluice.errors import RecoveryError
from sluice.recovery.keys import Store, ensure_keys, files_secret, postgresql_secret

STORE = Store("sluice-backups", 7070, "-----BEGIN CERTIFICATE-----\n")


def test_they_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "backups")
    assert ensure_keys(tmp_path / "backups") == keys
    assert len({keys.access, keys.secret, keys.postgresql, keys.files}) == 4
    assert stat.S_IMODE((tmp_path / "backups" / "keys.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "backups").stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["", "{", "[]", '{"access": "a"}', "\udcff"])
def test_a_file_without_keys_is_told_and_left(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(RecoveryError) as caught:
        ensure_keys(tmp_path)
    assert "open no back-up" in caught.value.next_command
    assert path.read_bytes() == text.encode(errors="surrogateescape")


def test_pgbackrest_reads_what_it_is_told(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path)
    given = postgresql_secret(keys, STORE)
    found = configparser.ConfigParser(interpolation=None)
    found.read_string(given["repository.conf"])
    assert found["global"]["repo1-cipher-pass"] == keys.postgresql
    assert found["global"]["repo1-s3-key-secret"] == keys.secret
    assert found["global"]["repo1-storage-ca-file"].endswith("/ca.crt")
    assert given["ca.crt"] == STORE.ca


def test_restic_reads_what_it_is_told(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path)
    given = files_secret(keys, STORE)
    assert given["repository"] == "s3:https://sluice-backups:7070/sluice/files"
    assert given["passphrase"].strip() == keys.files
    found = configparser.ConfigParser(interpolation=None)
    found.read_string(given["credentials"])
    assert dict(found["default"]) == {"aws_access_key_id": keys.access, "aws_secret_access_key": keys.secret}
