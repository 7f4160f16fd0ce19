"""Where the last readiness of each target lies on this host, and what a deploy reads of it."""

import json
import math
from pathlib import Path

from sluice.promotion.checks import Ready

FOLDER = "readiness"  # below the folder of runs


def file_of(home: Path, target: str) -> Path:
    """Return the file of a target; `home` is the folder of runs."""
    return home / FOLDER / f"{target}.json"


def last_ready(home: Path, target: str) -> Ready | None:
    """Return the last score that this host knows of a target; None where it knows none that can be read.

    Score and time are all that is read; the whole is `sluice.readiness/v1` (docs/schemas).
    """
    try:
        given = json.loads(file_of(home, target).read_text(encoding="utf-8"))
        found = Ready(float(given["score"]), float(given["at"]))
        fits = given["schema"] == "sluice.readiness/v1" and given["target"] == target
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return found if fits and math.isfinite(found.score) and math.isfinite(found.at) else None
