"""upstream.lock.json: which digest each upstream address stands for, once it was obtained."""

import json
import os
import re
from pathlib import Path

from sluice.errors import DigestMismatch, SupplyError

LOCK = Path(__file__).with_name("upstream.lock.json")


class Lock:
    """Which digest each upstream address stands for."""

    def __init__(self, path: Path = LOCK) -> None:
        self._path = path

    def get(self, address: str) -> str | None:
        """Return the digest recorded for an address, or None."""
        digest = self._read().get(address)
        if digest is not None and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise SupplyError(
                f"{self._path.name}: what is locked for {address} is no digest",
                seen=digest,
                expected="sha256: and 64 hexadecimal digits",
                next_command=f"git checkout {self._path.name}",
            )
        return digest

    def record(self, address: str, digest: str) -> None:
        """Write down the digest of an address that had none; a recorded one is never changed."""
        entries = self._read()
        if entries.setdefault(address, digest) != digest:
            raise DigestMismatch(
                f"{address} is locked to another digest",
                seen=digest,
                expected=entries[address],
                next_command=f"remove its line from {self._path.name} if the change is meant",
            )
        temporary = self._path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
        os.replace(temporary, self._path)

    def _read(self) -> dict[str, str]:
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
            cause = "" if isinstance(entries, dict) else f"a {type(entries).__name__}"
        except FileNotFoundError:
            return {}
        except ValueError as error:
            cause = str(error)
        if cause:
            raise SupplyError(
                f"{self._path} cannot be read",
                seen=cause,
                expected="a JSON object of address to digest",
                next_command=f"git checkout {self._path.name}",
            )
        return {str(address): str(digest) for address, digest in entries.items()}
