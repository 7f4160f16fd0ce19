"""The drills: which alert each fault must bring about. Those of the second round would disturb those of the first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
from tests.e2e.alerts import faults
from tests.e2e.alerts.cluster import Drills, StandIn
from tests.e2e.alerts.drill import Drill
from tests.e2e.kube import Kube
from tests.e2e.support import Backend, Clients, eventually
from tests.e2e.users import new_user

from sluice.adapters.prometheus.client import PrometheusMetrics

SIDECAR = "pubsub.yaml"
CONSUMER = {"consumer": True, "subscribe": True}
SCRAPED_WITHIN = 240.0
CONSUMED_WITHIN = 60.0
# Name, whether it has a sidecar, how many pods, how they start.
STAND_INS: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
    ("drill-unready", "", 1, {}),
    ("drill-hidden", "", 1, {}),
    ("drill-full", "", 1, {}),
    ("drill-slow", "", 1, {}),
    ("drill-crashing", "", 2, {}),
    ("drill-hungry", "", 2, {}),
    ("drill-bare", SIDECAR, 1, {}),
    ("drill-deaf", SIDECAR, 2, {}),
    ("drill-publisher", SIDECAR, 1, {}),
    ("drill-dropping", SIDECAR, 1, CONSUMER),
    ("drill-stopped", SIDECAR, 1, CONSUMER),
    ("drill-stalled", SIDECAR, 1, CONSUMER),
    ("drill-unsubscribed", SIDECAR, 1, CONSUMER),
)
CONSUMERS = ("drill-dropping", "drill-stopped", "drill-stalled", "drill-unsubscribed")


@dataclass(frozen=True)
class Stage:
    """All that the drills are made with."""

    drills: Drills
    kube: Kube
    clients: Clients
    stand_ins: dict[str, StandIn]

    @property
    def backend(self) -> Backend:
        """The backend as a user of the drills' own."""
        return self.clients.backend(new_user(), lambda _: None)


@dataclass(frozen=True)
class Round:
    """Drills that go side by side, and the name and title of their table."""

    drills: Callable[[Stage], tuple[Drill, ...]]
    stand_ins: bool
    table: str
    title: str

    async def staged(self, kube: Kube, clients: Clients, prometheus: PrometheusMetrics) -> Stage:
        """Put there what its drills are made with."""
        if self.stand_ins:
            return await _with_stand_ins(await Drills.made(kube), clients, prometheus)
        return Stage(Drills(kube, {}), kube, clients, {})


async def _with_stand_ins(drills: Drills, clients: Clients, prometheus: PrometheusMetrics) -> Stage:
    """Put all stand-ins there; returns when they are scraped and each consumer has consumed."""
    stage = Stage(drills, drills.kube, clients, {})
    # Each start takes a processor for a second: all at once would starve one another's probes.
    starting = anyio.CapacityLimiter(4)

    async def one(name: str, sidecar: str, replicas: int, state: dict[str, Any]) -> None:
        async with starting:
            stand_in = await drills.stand_in(name, sidecar=sidecar, replicas=replicas, **state)
            await stand_in.up(replicas)
        stage.stand_ins[name] = stand_in

    async with anyio.create_task_group() as group:
        for each in STAND_INS:
            group.start_soon(one, *each)

    async def scraped() -> None:
        up = {one.labels["service"] for one in await prometheus.instant('up{namespace="drills"} == 1')}
        missing = {name for name, *_ in STAND_INS} - up
        if missing:  # asked for again each time: the operator may write the configuration after the kubelet has looked
            await drills.looked_at()
        assert not missing, f"not scraped: {sorted(missing)}"

    await eventually(scraped, within=SCRAPED_WITHIN, every=5)
    for name in CONSUMERS:
        await stage.stand_ins[name].publish(name, 1)

    async def consumed() -> None:
        # Only what Kafka has a committed offset of has a lag.
        known = await prometheus.instant('kafka_consumergroup_current_offset{consumergroup=~"drill-.+"} > 0')
        missing = set(CONSUMERS) - {one.labels["consumergroup"] for one in known}
        assert not missing, f"nothing consumed by {sorted(missing)}"

    await eventually(consumed, within=CONSUMED_WITHIN, every=1)
    return stage


def first_round(stage: Stage) -> tuple[Drill, ...]:
    """Drills that do not disturb one another: each has its own service."""
    drills, of = stage.drills, stage.stand_ins

    def service(name: str) -> dict[str, str]:
        return {"service": name, "namespace": "drills"}

    unsubscribed = faults.restarted(
        of["drill-unsubscribed"], during={"consumer": True, "subscribe": False}, after=CONSUMER
    )
    oversized = faults.repeated(
        lambda: of["drill-publisher"].publish("drill-publisher", 1, size=faults.MESSAGE_TOO_LARGE), every=1
    )
    unready = faults.told(of["drill-unready"], during={"ready": False}, after={"ready": True})
    deaf = faults.told(of["drill-deaf"], during={"metrics": False}, after={"metrics": True})
    full = faults.told(of["drill-full"], during={"full": True}, after={"full": False})
    stopped = faults.consumer_stopped(of["drill-stopped"], of["drill-publisher"])
    stalled = faults.events_answered(of["drill-stalled"], "RETRY", then="SUCCESS")
    dropped = faults.events_answered(of["drill-dropping"], "DROP", then="end")
    component = faults.stand_in_with_half_of_a_component(drills, "drill-component")
    crashing = faults.told_until_replaced(of["drill-crashing"], crash=True)
    hungry = faults.told_until_replaced(of["drill-hungry"], eat=faults.MEBIBYTES_TOO_MANY)
    return (
        Drill("ServiceUnavailable", "critical", "no pod is ready", unready, service("drill-unready")),
        Drill(
            "ServiceAbsent",
            "critical",
            "target removed",
            faults.target_removed(drills, "drill-hidden"),
            service("drill-hidden"),
        ),
        Drill("VolumeAlmostFull", "critical", "volume filled", full, {"persistentvolumeclaim": "drill-full"}),
        Drill(
            "DaprUnavailable",
            "critical",
            "sidecar removed",
            faults.sidecar_removed(drills, "drill-bare"),
            service("drill-bare"),
        ),
        Drill("DaprAppUnhealthy", "critical", "one of two pods does not answer", deaf, service("drill-deaf")),
        Drill("DaprPublishFailing", "critical", "messages too large", oversized, service("drill-publisher")),
        Drill("DaprEventsDropped", "critical", "events dropped", dropped, service("drill-dropping"), waits=False),
        Drill(
            "DaprComponentInitFailed",
            "critical",
            "component without a password",
            component,
            service("drill-component"),
            waits=False,
        ),
        Drill("DaprAppUnsubscribed", "critical", "subscription lost", unsubscribed, service("drill-unsubscribed")),
        Drill("KafkaConsumerGroupEmpty", "critical", "consumer stopped", stopped, {"consumergroup": "drill-stopped"}),
        Drill("KafkaConsumerStalled", "critical", "consumer stalled", stalled, {"consumergroup": "drill-stalled"}),
        Drill(
            "EventDeliveriesRefused",
            "critical",
            "deliveries of a stranger",
            faults.strangers_events(stage.clients, "audit"),
            {"service": "audit"},
        ),
        Drill(
            "NodeNotReady",
            "critical",
            "a node that does not report",
            faults.object_of(drills, "node.yaml", "drill-node-1"),
            {"node": "drill-node-1"},
        ),
        Drill("ServiceLatencyHigh", "warning", "slow answers", faults.delays(of["drill-slow"]), service("drill-slow")),
        Drill("PodCrashLooping", "warning", "a container that ends", crashing, service("drill-crashing")),
        Drill("ContainerOomKilled", "warning", "out of memory", hungry, service("drill-hungry"), waits=False),
        Drill(
            "JobFailed",
            "warning",
            "a Job that fails",
            faults.object_of(drills, "job.yaml", "drill-job"),
            {"job_name": "drill-job"},
        ),
        Drill(
            "VolumeClaimUnbound",
            "warning",
            "a claim that nobody serves",
            faults.object_of(drills, "claim.yaml", "drill-claim"),
            {"persistentvolumeclaim": "drill-claim"},
        ),
    )


def second_round(stage: Stage) -> tuple[Drill, ...]:
    """What would hold back, or disturb, a drill of the first."""
    return (
        Drill("KafkaDown", "critical", "broker down", faults.broker_stopped(stage.kube), {"service": "kafka"}),
        Drill("ServiceErrorRatioHigh", "critical", "errors", faults.errors(stage.backend), {"service": "backend"}),
        # A node that does not report has no kubelet either: the two would be one message, and one end.
        Drill(
            "KubeletDown",
            "critical",
            "a node without a kubelet",
            faults.object_of(stage.drills, "node.yaml", "drill-node-2"),
            {"node": "drill-node-2"},
        ),
    )


FIRST_ROUND = Round(first_round, True, "alert-drills", "Alert drills: seconds from a fault to its receivers, and back")
SECOND_ROUND = Round(second_round, False, "alert-drills-disturbing", "Alert drills that disturb others")
