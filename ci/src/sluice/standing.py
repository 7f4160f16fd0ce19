"""What a run is judged by beyond its own measurements: release/ of the tree, and what is kept of passed releases.

.sluice/baselines/<run>.json   a Baseline each; the newest ones, as many as the policy keeps
<run>/policy.toml             the policy that a run was judged by, beside its evidence
"""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from sluice.domain import Baseline, Evidence, Override, Quarantined, Verdict, dump, load
from sluice.errors import EvidenceError, SluiceError
from sluice.policy import Policy, load_overrides, load_quarantine

FOLDER = "baselines"
POLICY_COPY = "policy.toml"
_METRICS = Path("helm/monitoring/rules/metrics.txt")
_RECORD = re.compile(r"^\s*-\s*record:\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Standing:
    """What stood when a run began; `policy_text` is the policy's file as it was."""

    policy_text: bytes = b""
    overrides: tuple[Override, ...] = ()
    quarantine: tuple[Quarantined, ...] = ()
    baselines: tuple[Baseline, ...] = ()


def load_standing(root: Path, home: Path, policy: Policy, *, now: float) -> Standing:
    """Return what a run is judged by. `home` holds the runs, `now` is in seconds since the epoch.

    Raises PolicyError for mistakes in release/, EvidenceError for the record of a release that is not whole.
    """
    release = root / "release"
    return Standing(
        policy_text=(release / "policy.toml").read_bytes(),
        overrides=load_overrides(release / "overrides.toml", policy.objectives, now=now),
        quarantine=load_quarantine(release / "quarantine.toml", now=now),
        baselines=load_baselines(home, policy.baselines.keep),
    )


def load_baselines(home: Path, keep: int) -> tuple[Baseline, ...]:
    """Return the newest `keep` of the passed releases, oldest first. Raises EvidenceError where one is not whole."""
    found = []
    for path in (home / FOLDER).glob("*.json"):
        try:
            found.append(load(Baseline, path))
        except SluiceError as error:
            raise EvidenceError(
                f"the record of a passed release is not whole: {error.failed}",
                seen=error.seen,
                expected="what a passed run wrote there; without it the next run is compared with one less",
                next_command=f"rm {path}",
            ) from None
    return tuple(sorted(found, key=_age)[-keep:])


def record(home: Path, evidence: Evidence, verdict: Verdict, *, keep: int) -> Path | None:
    """Keep what a passed run measured, and no more than `keep` of such records; returns the new one.

    None for a run that did not pass without a warning, and for an edited tree: nobody could release that.
    """
    if verdict.level != "pass" or evidence.dirty:
        return None
    folder = home / FOLDER
    folder.mkdir(exist_ok=True)
    measurements = tuple(replace(one, series=(), found=()) for one in evidence.measurements)
    baseline = Baseline(evidence.run_id, evidence.ended, evidence.revision, verdict.digests, measurements)
    path = folder / f"{evidence.run_id}.json"
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(dump(baseline))
    temporary.replace(path)
    for old in sorted((load(Baseline, one) for one in folder.glob("*.json")), key=_age)[:-keep]:
        (folder / f"{old.run_id}.json").unlink()
    return path


def metrics_known(root: Path) -> frozenset[str]:
    """Return the metrics that a query may name: those a cluster has, and those that rules record; empty if unknown."""
    if not (root / _METRICS).exists():
        return frozenset()
    lines = (root / _METRICS).read_text(encoding="utf-8").splitlines()
    rules = (path.read_text(encoding="utf-8") for path in (root / _METRICS).parent.glob("*.yaml"))
    recorded = {name for text in rules for name in _RECORD.findall(text)}
    return frozenset(recorded | {line.split()[0] for line in lines if line and not line.startswith("#")})


def _age(baseline: Baseline) -> tuple[float, str]:
    return baseline.at, baseline.run_id
