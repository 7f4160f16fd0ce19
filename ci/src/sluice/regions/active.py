"""Which region is active: a file of this host, which the entry reads for each request, and which goes forward only."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sluice.errors import FailoverError
from sluice.files import write_atomically
from sluice.regions.model import REGIONS

FOLDER = "regions"  # below the folder of runs
_FILE = "active.json"


@dataclass(frozen=True)
class Active:
    """The active region, since which epoch, and the run that is on its way to another one (its folder), if any."""

    region: str
    epoch: int
    switching: str = ""


def path_of(home: Path) -> Path:
    """Return where the file of a tree lies; `home` is its folder of runs."""
    return home / FOLDER / _FILE


def read(home: Path) -> Active | None:
    """Return what the file says; None where there are no regions. Raises FailoverError where it is not ours."""
    path = path_of(home)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        active = Active(str(found["region"]), int(found["epoch"]), str(found.get("switching", "")))
        if active.region not in REGIONS:
            raise ValueError(f"region {active.region!r}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FailoverError(
            f"{path} does not tell which region is active",
            seen=f"{type(error).__name__}: {error}",
            expected=f"what ./nox -s regions wrote there: a region of {', '.join(REGIONS)}, and an epoch",
            next_command="./nox -s regions -- status tells what each region says of itself; write the file by that",
        ) from None
    return active


def write(home: Path, active: Active) -> None:
    """Write the file. Raises FailoverError for an epoch before the one that is there, or another region in that one."""
    before = read(home)
    if before and (active.epoch, active.region) != (before.epoch, before.region) and active.epoch <= before.epoch:
        raise FailoverError(
            f"the entry does not go back to {active.region}",
            seen=f"{active.region} in epoch {active.epoch}, and {before.region} is active in epoch {before.epoch}",
            expected="a later epoch",
            next_command="./nox -s regions -- status",
        )
    path = path_of(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(active)).encode())
