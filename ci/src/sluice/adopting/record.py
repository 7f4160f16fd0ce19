"""`sluice.lock.json` of a project: which files are Sluice's, as they were copied, and of which revision."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sluice.errors import ProjectError
from sluice.files import write_atomically
from sluice.supply.cache import digest_of

FILE = "sluice.lock.json"
SCHEMA = "sluice.adopted/v1"


@dataclass(frozen=True)
class Record:
    """Fingerprints by path: of `files` as they were copied, in `updating` of what an unfinished update brings."""

    revision: str
    files: Mapping[str, str]
    updating: Mapping[str, str] = field(default_factory=dict)

    def write(self, project: Path) -> None:
        """Write it into a project, by one rename."""
        given = {"schema": SCHEMA, **{name: value for name, value in asdict(self).items() if value}}
        write_atomically(project / FILE, (json.dumps(given, indent=1, sort_keys=True) + "\n").encode())


def read_record(project: Path) -> Record:
    """Return a project's record. Raises ProjectError where it is not what Sluice wrote."""
    path = project / FILE
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        if given.pop("schema") != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}")
        record = Record(**given)
        if not all(isinstance(one, str) for each in (record.files, record.updating) for one in each.values()):
            raise ValueError("a fingerprint is no text")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProjectError(
            f"{path} is not the record of a project",
            seen=f"{type(error).__name__}: {error}",
            expected=f"the file as `init` or the last update wrote it ({SCHEMA})",
            next_command=f"git -C {project} checkout {FILE}",
        ) from None
    return record


def fingerprint(path: Path) -> str:
    """Return `sha256:…` of a file's content, `link:…` of a link, an empty text where there is nothing."""
    if path.is_symlink():
        return f"link:{path.readlink()}"
    if path.is_file():
        return digest_of(path)
    return "folder" if path.exists() else ""


def place(source: Path, target: Path) -> None:
    """Copy a file with its mode, or a link as a link; it is there whole or not at all. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        shutil.copy2(source, temporary, follow_symlinks=False)
        os.replace(temporary, target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
