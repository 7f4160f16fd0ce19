"""What a drill of the suite `alerts` says of an alert that does not behave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import anyio
import pytest
from tests.e2e.alerts import drill as drills
from tests.e2e.alerts import watching
from tests.e2e.alerts.drill import Drill, Outcome, drilled
from tests.e2e.alerts.table import table
from tests.e2e.alerts.watching import Watch

from sluice.adapters.kubernetes.service_proxy import ServiceProxy

pytestmark = pytest.mark.anyio
LABELS = {"alertname": "Broken", "severity": "critical", "namespace": "default", "service": "sync"}
GOOD = ("pending", "firing", "told", "lifted", "inactive", "told resolved")


@dataclass
class Cluster:
    """Prometheus and the receivers: an alert goes through `steps`, one a look, as far as the fault lets it."""

    steps: tuple[str, ...] = GOOD
    kinds: tuple[str, ...] = ("pagerduty", "webhook")
    labels: dict[str, str] = field(default_factory=lambda: dict(LABELS))
    state: str = ""
    faulty: bool = False
    at: int = 0
    record: list[dict[str, Any]] = field(default_factory=list)

    async def get(self, path: str, *, params: dict[str, str] | None = None) -> "Answer":
        """Answer a look of the watch."""
        if path == "/record":
            after = int((params or {})["after"])
            return Answer({"items": [one for one in self.record if one["number"] > after]})
        self._step()
        alert = {"labels": self.labels, "state": self.state, "annotations": {"summary": "It is broken"}}
        return Answer({"data": {"alerts": [alert] if self.state else []}})

    def _step(self) -> None:
        if self.at >= len(self.steps):
            return
        step = self.steps[self.at]
        lifted = "lifted" in self.steps[: self.at]
        if self.faulty if step == "lifted" else not (self.faulty or lifted):
            return
        self.at += 1
        if step.startswith("told"):
            status = "resolved" if step.endswith("resolved") else "firing"
            about = {"alert": self.labels["alertname"], "namespace": "default", "service": "sync"}
            for kind in self.kinds:
                number = len(self.record) + 1
                message = {"number": number, "at": float(number), "kind": kind, "status": status, "text": ""}
                self.record.append(message | about)
        elif step != "lifted":
            self.state = "" if step == "inactive" else step

    @asynccontextmanager
    async def fault(self) -> AsyncIterator[None]:
        """Be there."""
        self.faulty = True
        yield
        self.faulty = False


@dataclass(frozen=True)
class Answer:
    """What a proxy answers."""

    body: dict[str, Any]

    def json(self) -> dict[str, Any]:
        return self.body


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_EVERY", 0.01)
    for name in ("PENDING_WITHIN", "FIRING_WITHIN", "TOLD_WITHIN", "RESOLVED_WITHIN"):
        monkeypatch.setattr(drills, name, 0.5)


async def made(cluster: Cluster, **changed: Any) -> Outcome:
    proxy = cast("ServiceProxy", cluster)
    watch = Watch(proxy, proxy)
    drill = Drill(**{"alert": "Broken", "severity": "critical", "says": "broken", "fault": cluster.fault, **changed})
    async with anyio.create_task_group() as group:
        group.start_soon(watch.run)
        outcome = await drilled(drill, watch)
        group.cancel_scope.cancel()
    return outcome


async def test_an_alert_that_does_as_it_should_is_timed() -> None:
    outcome = await made(Cluster())
    assert outcome.failure == ""
    times = (outcome.pending, outcome.firing, outcome.told)
    assert None not in times
    assert list(times) == sorted(cast("tuple[float, ...]", times))
    assert outcome.resolved is not None
    assert outcome.told_resolved is not None
    (row,) = table([outcome], "drills", "Drills").rows
    assert row == ("Broken", "critical", "broken", "0 s", "0 s", "0 s", "0 s", "0 s", "as it should")


@pytest.mark.parametrize(
    ("cluster", "changed", "says"),
    [
        (Cluster(steps=()), {}, "Broken {} is inactive"),
        (Cluster(steps=("firing",)), {}, "Broken {} is ['firing']"),
        (Cluster(steps=("pending",)), {}, "Broken {} is ['pending']"),
        (Cluster(steps=("pending", "firing")), {}, "of Broken were told {}"),
        (
            Cluster(kinds=("webhook",)),
            {},
            "of Broken were told {'webhook': 'firing'}, expected ['pagerduty', 'webhook']",
        ),
        (Cluster(kinds=("slack", "email")), {}, "of Broken were told {'slack': 'firing', 'email': 'firing'}"),
        (Cluster(labels=LABELS | {"severity": "warning"}), {}, "has the severity warning, expected critical"),
        (Cluster(steps=GOOD[:3]), {}, "Broken {} is ['firing']"),
        (Cluster(steps=GOOD[:5]), {}, "of Broken were told {'pagerduty': 'firing', 'webhook': 'firing'}"),
        (Cluster(state="firing"), {}, "before the fault, Broken {} is ['firing']"),
        (Cluster(), {"labels": {"service": "audit"}}, "Broken {'service': 'audit'} is inactive"),
    ],
)
async def test_where_it_stops_is_said(cluster: Cluster, changed: dict[str, Any], says: str) -> None:
    assert says in (await made(cluster, **changed)).failure


async def test_a_fault_that_cannot_be_made_is_said() -> None:
    @asynccontextmanager
    async def impossible() -> AsyncIterator[None]:
        raise ExceptionGroup("two", [AssertionError("no pod"), ValueError("no name")])
        yield

    assert (await made(Cluster(), fault=impossible)).failure == "no pod; ValueError: no name"
