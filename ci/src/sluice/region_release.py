"""What runs in a region, as its ledger has it: each region has one, of the same make as a target's."""

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path

import httpx

from sluice.adapters.kubernetes.ledger import TargetLedger
from sluice.adapters.kubernetes.region import ledger_name
from sluice.domain import Image
from sluice.promotion.ledger import State, unfinished, verified
from sluice.steps.resolve_source import FIXTURES, tree_digest

_WHO = "regions"
_STATES: tuple[State, ...] = ("planned", "copied", "deployed", "verified")


def release_of(root: Path, images: Iterable[Image]) -> str:
    """Return the digest of what a region runs: its images, the tree's charts and its fixtures."""
    references = sorted({image.reference for image in images})
    trees = [tree_digest(root / folder) for folder in ("helm", FIXTURES)]
    return f"sha256:{hashlib.sha256(json.dumps([references, trees]).encode()).hexdigest()}"


async def note_release(
    client: httpx.AsyncClient, namespace: str, region: str, copy: Path, *, release: str, revision: str, run: str
) -> None:
    """Note that a release is installed in a region and was found up; nothing is noted twice.

    `client` is connection.connect()'s, `copy` this host's copy of the ledger. Raises LedgerError and ClusterError.
    """
    ledger = TargetLedger(client, namespace, ledger_name(region), copy)
    entries = await ledger.read()
    last, killed = verified(entries), unfinished(entries)
    if killed:
        await ledger.append(
            promotion=killed.promotion, release=killed.release, release_id=killed.release_id, state="failed",
            who=_WHO, detail="the run was killed", at=time.time(),
        )  # fmt: skip
    if last and last.release == release:
        return
    for state in _STATES:
        await ledger.append(
            promotion=f"{run}-{region}",
            release=release,
            release_id=revision[:12],
            state=state,
            who=_WHO,
            at=time.time(),
        )


def forget_ledger(copy: Path) -> None:
    """Nothing was ever installed in a new cluster: what this host knows of the one before goes under another name."""
    if copy.exists():
        copy.replace(copy.with_suffix(".before"))
