"""What opens the back-ups, in a file of this host, and what a cluster is told of its repositories.

The file outlives every cluster, and has to: without the passphrases no back-up opens again. Keep a copy elsewhere.
"""

import json
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from sluice.errors import RecoveryError
from sluice.files import write_atomically

BUCKET = "sluice"
REGION = "us-east-1"  # pgBackRest and restic want one; the store has no regions
_FILE = "keys.json"


@dataclass(frozen=True)
class Keys:
    """The store's credentials, and the passphrase of each repository."""

    access: str
    secret: str
    postgresql: str
    files: str


@dataclass(frozen=True)
class Store:
    """Where a cluster reaches the store (`host`:`port`, TLS), and whom it believes: a certificate in PEM."""

    host: str
    port: int
    ca: str


def ensure_keys(folder: Path) -> Keys:
    """Return the keys of a folder, made where there are none. Raises RecoveryError for a file that holds no keys."""
    path = folder / _FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Keys(**{field.name: str(found[field.name]) for field in fields(Keys)})
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        keys = Keys(secrets.token_hex(10), *(secrets.token_urlsafe(32) for _ in range(3)))
        write_atomically(path, json.dumps(asdict(keys)).encode(), private=True)
        return keys
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise RecoveryError(
            f"{path} holds no keys of back-ups",
            seen=f"{type(error).__name__}",  # never what is in it
            expected=f"what the first drill wrote there: {', '.join(field.name for field in fields(Keys))}",
            next_command=f"put the copy of it back; new keys (rm {path}) open no back-up that is there",
        ) from None


def postgresql_secret(keys: Keys, store: Store) -> dict[str, str]:
    """Return the Secret `postgresql-repository`: what pgBackRest reads besides the image's own configuration."""
    conf = f"""[global]
repo1-path=/postgresql
repo1-s3-endpoint={store.host}
repo1-storage-port={store.port}
repo1-storage-ca-file=/etc/pgbackrest/conf.d/ca.crt
repo1-s3-bucket={BUCKET}
repo1-s3-region={REGION}
repo1-s3-key={keys.access}
repo1-s3-key-secret={keys.secret}
repo1-cipher-pass={keys.postgresql}
"""
    return {"repository.conf": conf, "ca.crt": store.ca}


def files_secret(keys: Keys, store: Store) -> dict[str, str]:
    """Return the Secret `file-repository`: what keep-files.sh reads."""
    credentials = f"[default]\naws_access_key_id = {keys.access}\naws_secret_access_key = {keys.secret}\n"
    return {
        "repository": f"s3:https://{store.host}:{store.port}/{BUCKET}/files",
        "passphrase": f"{keys.files}\n",
        "credentials": credentials,
        "ca.crt": store.ca,
    }
