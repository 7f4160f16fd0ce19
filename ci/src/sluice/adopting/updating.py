"""A newer copy of Sluice's part: what the owner did not change is replaced, the rest is left to them and listed."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sluice.adopting.parts import parts
from sluice.adopting.project import checked_place
from sluice.adopting.record import FILE, Record, fingerprint, place, read_record
from sluice.errors import ProjectError

BESIDE = ".new"


@dataclass(frozen=True)
class Updated:
    """What an update did, by paths: `left` has Sluice's file beside the owner's, as `<path>.new`."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    left: tuple[str, ...]
    orphaned: tuple[str, ...]  # Sluice has it no more, and the owner changed it


def update(root: Path, into: Path, revision: str) -> Updated:
    """Bring a project's copy of Sluice's part to that of `root`, which is of that revision; return what became of it.

    A file that the owner deleted stays deleted; one that only they changed is theirs, and not told of. Raises
    ProjectError where the folder is no project, OSError. Killed at any point, it goes on when run again: what is being
    put there is written down first, and each file is put there by one rename.
    """
    into = checked_place(root, into)
    if not (into / FILE).is_file():
        raise ProjectError(
            f"{into} is no project that `init` wrote",
            seen=f"no {FILE}",
            expected="the folder that was given as --into",
            next_command=f"./nox -s init -- --into {into}",
        )
    wanted = {name: fingerprint(root / name) for name in parts(root)}
    known = _known(into)
    Record(revision, known, wanted).write(into)
    written, removed, left, orphaned = [], [], [], []
    for name, new in wanted.items():
        now, old = fingerprint(into / name), known.get(name, "")
        if now == old != new:  # of a file that is new both are empty
            place(root / name, into / name)
            written.append(name)
        elif now not in ("", new) and old != new:
            place(root / name, into / (name + BESIDE))
        if (into / (name + BESIDE)).is_file():
            left.append(name)
    for name in sorted(known.keys() - wanted.keys()):
        now = fingerprint(into / name)
        if now == known[name]:
            (into / name).unlink()
            removed.append(name)
        elif now:
            orphaned.append(name)
    _prune(into, removed)
    Record(revision, wanted).write(into)
    return Updated(tuple(written), tuple(removed), tuple(left), tuple(orphaned))


def _known(project: Path) -> dict[str, str]:
    """What Sluice put there, by path; of an update that was killed, as far as it came."""
    record = read_record(project)
    came = {name: new for name, new in record.updating.items() if fingerprint(project / name) == new}
    return {**record.files, **came}


def _prune(project: Path, removed: Iterable[str]) -> None:
    """Remove the folders that are empty now."""
    for name in removed:
        with suppress(OSError):  # not empty: that ends it
            for folder in (project / name).parents:
                if folder == project:
                    break
                folder.rmdir()
