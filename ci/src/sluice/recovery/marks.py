"""Marks: what was written before the disaster and acknowledged, and what of it is there afterwards."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mark:
    """Something that was written: its id, what it says, and when it was acknowledged (seconds since the epoch)."""

    id: str
    text: str
    at: float


@dataclass(frozen=True)
class Comparison:
    """What came back: `lost` in the order of writing, `holes` those of them that a later one outlived.

    `rpo_seconds` is the time before the disaster whose acknowledged writes are gone: from the first that is lost.
    The checksums are over the marks up to the last that came back, and over what was found of these.
    """

    written: int
    returned: int
    lost: tuple[str, ...]
    holes: tuple[str, ...]
    rpo_seconds: float
    checksum_before: str
    checksum_after: str

    @property
    def whole(self) -> bool:
        """Whether what came back is what was written, up to a moment."""
        return self.returned > 0 and not self.holes and self.checksum_before == self.checksum_after


def compare(written: Sequence[Mark], found: Iterable[tuple[str, str]], *, destroyed: float) -> Comparison:
    """Compare acknowledged marks with the (id, text) that are there now. `destroyed` is when the disaster was.

    What nobody acknowledged and is there all the same was written too, and is no fault.
    """
    there = dict(found)
    in_order = sorted(written, key=lambda mark: mark.at)
    lost = [mark for mark in in_order if mark.id not in there]
    last = max((mark.at for mark in in_order if mark.id in there), default=0.0)
    kept = [mark for mark in in_order if mark.at <= last]
    return Comparison(
        written=len(in_order),
        returned=len(in_order) - len(lost),
        lost=tuple(mark.id for mark in lost),
        holes=tuple(mark.id for mark in lost if mark.at <= last),
        rpo_seconds=round(max(0.0, destroyed - lost[0].at), 1) if lost else 0.0,
        checksum_before=_checksum((mark.id, mark.text) for mark in kept),
        checksum_after=_checksum((mark.id, there[mark.id]) for mark in kept if mark.id in there),
    )


def anchor_before(lines: Iterable[Mapping[str, Any]], moment: float) -> dict[str, Any] | None:
    """Return the newest anchor of audit's chain in noted lines, taken up to a moment (seconds since the epoch).

    The oldest where all are younger, None where there is none.
    """
    anchors = [dict(line) for line in lines if "anchor" in line]
    old = [line for line in anchors if line["at"] <= moment]
    return (old or anchors[:1])[-1] if anchors else None


def _checksum(marks: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the marks by their ids: the same marks give the same, in whatever order they are listed."""
    total = hashlib.sha256()
    for name, text in sorted(marks):
        total.update(f"{name}\0{text}\n".encode())
    return total.hexdigest()
