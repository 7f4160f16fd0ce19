"""Checks of the section deployment."""

import re
from collections.abc import Iterator

from sluice.promotion.ledger import unfinished, verified
from sluice.readiness.model import Found
from sluice.readiness.snapshot import Object, Snapshot
from sluice.readiness.workloads import Workload, each, each_workload

_BY_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")


def by_digest(snapshot: Snapshot) -> Found:
    """Every image of the charts is named by its digest, and so is each that an argument names."""

    def fault(one: Workload) -> Iterator[str]:
        for container in one.every:
            images = [str(container.get("image"))]
            images += [
                argument.partition("=")[2]
                for argument in container.get("args") or ()
                if str(argument).startswith("--prometheus-config-reloader=")
            ]
            for image in images:
                if not _BY_DIGEST.fullmatch(image):
                    yield f"{container['name']} runs {image}"

    return each_workload(snapshot, fault)


def runs_by_digest(snapshot: Snapshot) -> Found:
    """Every pod of the target's namespaces was told a digest."""

    def fault(pod: Object) -> Iterator[str]:
        for container in (*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())):
            if not _BY_DIGEST.fullmatch(container["image"]):
                yield f"{container['name']} runs {container['image']}"

    return each("pod", snapshot.cluster.named("pods", snapshot.target.cluster.namespaces), fault)


def release_verified(snapshot: Snapshot) -> Found:
    """A release was verified on the target, and none is half promoted."""
    entries = snapshot.ledger.entries
    now, half = verified(entries), unfinished(entries)
    wrong = [] if now else ["no release was ever verified here"]
    if half:
        wrong.append(f"{half.release_id} is {half.state}: its promotion did not come to its end")
    return Found(f"entries: {len(entries)}" + (f", {now.release_id} runs" if now else ""), tuple(wrong))


def no_drift(snapshot: Snapshot) -> Found:
    """What runs is what was promoted: images, and the charts' objects."""
    if verified(snapshot.ledger.entries) is None:
        return Found("the ledger", ("no release to compare with",))
    return Found("what runs", snapshot.ledger.drift)


def way_back(snapshot: Snapshot) -> Found:
    """Another release than the one that runs was verified here, and the registry still has all of it."""
    entries = snapshot.ledger.entries
    now = verified(entries)
    before = verified(entries, but=now.release) if now else None
    if before is None:
        return Found("the ledger", ("there is no release to go back to",))
    return Found(f"{before.release_id}", snapshot.ledger.back)


def guarded(snapshot: Snapshot) -> Found:
    """The target is changed by two people's will, at times when somebody is there, and verified by suites."""
    target = snapshot.target
    wrong = [
        "" if target.approvals else "approvals is 0: one person alone brings a release here",
        "" if target.windows else "no [[window]]: it may be changed at any time",
        "" if target.smoke else "no smoke suite: nothing verifies a deploy",
        "" if target.accept == "pass" else f"accept is {target.accept}",
    ]
    return Found(f"targets/{target.name}.toml", tuple(filter(None, wrong)))


def tried_first(snapshot: Snapshot) -> Found:
    """A new version meets a part of the traffic first, or a target that comes before this one."""
    target = snapshot.target
    fine = target.strategy == "canary" or (target.after and target.soak_seconds > 0)
    wrong = () if fine else (f"strategy {target.strategy}, and no target comes first (after, soak_seconds)",)
    return Found(f"targets/{target.name}.toml", wrong)


CHECKS = {
    "deployment.by-digest": by_digest,
    "deployment.runs-by-digest": runs_by_digest,
    "deployment.verified": release_verified,
    "deployment.no-drift": no_drift,
    "deployment.way-back": way_back,
    "deployment.guarded": guarded,
    "deployment.tried-first": tried_first,
}
