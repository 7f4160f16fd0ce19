"""Files that are made from others: written where they differ, or compared with what is there."""

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path


def write_files(root: Path, wanted: Mapping[Path, str], there: Iterable[Path] = ()) -> list[Path]:
    """Write what differs from the wanted texts, remove what is `there` and not wanted, and return those paths.

    Paths are told from the root.
    """
    changed = [path for path in sorted({*wanted, *there}) if _text(root / path) != wanted.get(path)]
    for path in changed:
        if path in wanted:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(wanted[path], encoding="utf-8")
        else:
            (root / path).unlink()
    return changed


def differences(root: Path, wanted: Mapping[Path, str], there: Iterable[Path] = ()) -> list[str]:
    """Return what `write_files` would change, a line each: which file, and from which line on."""
    found = []
    for path in sorted({*wanted, *there}):
        text = _text(root / path)
        if text is None:
            found.append(f"{path} is missing")
        elif path not in wanted:
            found.append(f"{path} is left over: nothing generates it")
        elif text != wanted[path]:
            pairs = enumerate(zip_longest(text.splitlines(), wanted[path].splitlines()), start=1)
            line = next((number for number, (seen, expected) in pairs if seen != expected), 1)
            found.append(f"{path}:{line} differs")
    return found


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
