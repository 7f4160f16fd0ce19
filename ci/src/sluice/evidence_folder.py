"""The folder of a run as evidence: what is written first when the disk is full, what is cut, and where that is said."""

import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from sluice.domain import Evidence, TestResult, dump
from sluice.files import Reserve
from sluice.masking import Mask
from sluice.run import Run
from sluice.steps.bundle import CUT_FILE, FOLDER
from sluice.steps.tidy_evidence import Bounds, keep_within, tidy_evidence

# Twice what the evidence of 500 tests takes.
_RESERVED_BYTES = 4 * 1024 * 1024
_LOGS = f"{FOLDER}/logs"


class EvidenceFolder:
    """Writes into a run's folder; nothing here raises for want of room. `cut` is what was left out so far."""

    def __init__(self, run: Run, bounds: Bounds) -> None:
        self._run = run
        self.bounds = bounds
        self.cut: list[str] = []
        self._reserve = Reserve(run.folder / ".reserve")

    def reserve(self) -> None:
        """Take the room that evidence.json needs while there is some."""
        self._reserve.take(_RESERVED_BYTES)

    def tidy(self, mask: Mask, tests: Sequence[TestResult]) -> None:
        """Mask all that lies there and keep to the bounds; from here on the reserve is free."""
        self._reserve.release()
        self.say(tidy_evidence(self._run.folder, mask, self.bounds, tests))
        self.cut = [mask(line) for line in self.cut]

    def say(self, lines: Iterable[str]) -> None:
        """Add to what was left out, in cut.txt too."""
        self.cut += lines
        if self.cut:
            self._run.write(self._run.folder / CUT_FILE, "".join(f"{line}\n" for line in self.cut).encode())

    def write_evidence(self, evidence: Evidence) -> Evidence:
        """Write evidence.json, at the price of logs and plots where the disk is full; returns what was written."""
        path = self._run.folder / "evidence.json"
        if self._run.write(path, dump(evidence)):
            return evidence
        with suppress(OSError):
            shutil.rmtree(self._run.folder / _LOGS)
        self.say([f"{_LOGS}: removed, so that evidence.json has room on a full disk"])
        left = tuple(name for name in evidence.files if not name.startswith(f"{_LOGS}/"))
        evidence = replace(evidence, files=left, cut=tuple(self.cut))
        if self._run.write(path, dump(evidence)):
            return evidence
        self.say(["evidence.json: without plots and tables: the disk is full"])
        bare = tuple(replace(one, series=()) for one in evidence.measurements)
        evidence = replace(evidence, measurements=bare, tables=(), cut=tuple(self.cut))
        self._run.write(path, dump(evidence, indent=None))
        return evidence

    def finish(self) -> None:
        """Keep to the bounds with all that was drawn."""
        self.say(keep_within(self._run.folder, self.bounds.total))
