"""One drill: an alert is inactive; a fault makes it pending, firing, and told; the fault's end makes it resolved."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from tests.e2e.alerts.watching import KINDS, NotSeen, Watch

# Two scrapes, two evaluations, and what a fault takes to show itself: a broker to end, a container to be started again.
PENDING_WITHIN = 120.0
FIRING_WITHIN = 60.0
# A pod that starts anew may be missed for a moment, and what is missed holds back what follows from it.
TOLD_WITHIN = 60.0
# The windows of the shortened rules are a minute long.
RESOLVED_WITHIN = 150.0


@dataclass(frozen=True)
class Drill:
    """What is provoked, and how. The fault is there while the context is entered; leaving it ends the fault."""

    alert: str
    severity: str
    says: str
    fault: Callable[[], AbstractAsyncContextManager[None]]
    labels: dict[str, str] = field(default_factory=dict)
    waits: bool = True  # whether the rule has a `for`, so that the alert is pending first


@dataclass
class Outcome:
    """What was seen of a drill, in seconds since the fault, and since its end; `failure` says where it stopped."""

    drill: Drill
    pending: float | None = None
    firing: float | None = None
    told: float | None = None
    resolved: float | None = None
    told_resolved: float | None = None
    texts: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    failure: str = "it did not begin"


def assert_as_it_should(outcome: Outcome, *, severity: str) -> None:
    """Fail unless a drill went from its beginning to its end, and everybody was told what to do."""
    assert not outcome.failure, f"{outcome.drill.says}: {outcome.failure}"
    assert outcome.drill.severity == severity
    for kind, text in outcome.texts.items():
        for annotation in ("summary", "runbook_url"):
            assert outcome.annotations[annotation] in text, f"{kind} was not told the {annotation}: {text}"


async def drilled(drill: Drill, watch: Watch) -> Outcome:
    """Make one drill from its beginning to its end; what goes wrong is in the outcome."""
    outcome = Outcome(drill)
    try:
        await _follow(drill, watch, outcome)
    except Exception as error:  # noqa: BLE001 - the other drills go on
        outcome.failure = "; ".join(_told(error))
    else:
        outcome.failure = ""
    return outcome


def _told(error: Exception) -> list[str]:
    """What each error of a group says."""
    if isinstance(error, ExceptionGroup):
        return [text for one in error.exceptions for text in _told(one)]
    plain = isinstance(error, NotSeen | AssertionError)
    return [str(error) if plain else f"{type(error).__name__}: {error}"]


async def _follow(drill: Drill, watch: Watch, outcome: Outcome) -> None:
    name, kinds = drill.alert, KINDS[drill.severity]

    def states() -> set[str]:
        return {one["state"] for one in watch.active(name, drill.labels)}

    def seen() -> str:
        return f"{name} {drill.labels} is {sorted(states()) or 'inactive'}"

    await watch.until(lambda: not states(), within=RESOLVED_WITHIN, cause=lambda: f"before the fault, {seen()}")
    numbers = max((one["at"] for one in watch.record), default=0.0)
    begun = time.time()
    async with drill.fault():
        if drill.waits:
            pending = await watch.until(lambda: "pending" in states(), within=PENDING_WITHIN, cause=seen)
            outcome.pending = pending - begun
        within = FIRING_WITHIN if drill.waits else PENDING_WITHIN
        outcome.firing = await watch.until(lambda: "firing" in states(), within=within, cause=seen) - begun
        alert = next(one for one in watch.active(name, drill.labels) if one["state"] == "firing")
        outcome.annotations = alert["annotations"]
        severity = alert["labels"].get("severity")
        assert severity == drill.severity, f"{name} has the severity {severity}, expected {drill.severity}"

        def told(status: str) -> bool:
            found = watch.told(alert["labels"], numbers)
            return kinds <= {kind for kind, one in found.items() if one["status"] == status}

        def heard() -> str:
            found = {kind: one["status"] for kind, one in watch.told(alert["labels"], numbers).items()}
            return f"of {name} were told {found}, expected {sorted(kinds)}"

        outcome.told = await watch.until(lambda: told("firing"), within=TOLD_WITHIN, cause=heard) - begun
        outcome.texts = {kind: one["text"] for kind, one in watch.told(alert["labels"], numbers).items()}
        ended = time.time()
    outcome.resolved = await watch.until(lambda: not states(), within=RESOLVED_WITHIN, cause=seen) - ended
    resolved = await watch.until(lambda: told("resolved"), within=TOLD_WITHIN, cause=heard)
    outcome.told_resolved = resolved - ended
