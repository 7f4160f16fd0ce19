"""All kills, one after another under one load, and what is to be looked at afterwards."""

import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass, replace

from tests.e2e.effects import Effects
from tests.e2e.kube import Kube
from tests.e2e.load import Load
from tests.e2e.resilience.kills import RECOVERED_WITHIN, Kill, Target, first_taken, kill
from tests.e2e.support import PROVOKED, SKEW_SECONDS, Clients, eventually
from tests.e2e.users import new_user

from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.domain import SuiteTable
from sluice.steps.run_suites import SuiteContext

STARTED_WITHIN = 30.0
# Without these the backend has no answer; everybody else's absence is to be felt by nobody who asks it.
MARGIN = 200  # of tasks whose changes may not have been numbered yet when the next program was killed
NEEDED = ("backend", "postgresql")
NOTE = (
    "All pods of each were deleted with a grace of 0 s, one program after another, while tasks were created. Seconds "
    "from the kill until its new pods were ready, and until a task that was taken since was known to sync, audit and "
    "notification; for Loki until the line of such a request was found, for Prometheus until all services were scraped."
)
COLUMNS = ("killed", "pods", "ready again", "works again", "at most", "requests refused", "outcome")


@dataclass(frozen=True)
class Aftermath:
    """The kills that were made, the load that they were made under, and what is to be seen of its tasks."""

    kills: dict[str, Kill]
    load: Load
    effects: Effects


@dataclass(frozen=True)
class World:
    """All that kills are made and looked at with."""

    context: SuiteContext
    kube: Kube
    clients: Clients
    loki: LokiLogs
    prometheus: PrometheusMetrics


async def killed(world: World, wanted: Collection[str]) -> Aftermath:
    """Kill everything, or what is wanted of it, while tasks are created."""
    clients, user = world.clients, new_user()
    load = Load(clients.backend(user, lambda _: None))
    effects = Effects.of(load.backend, lambda service: clients.of(service, user, lambda _: None))
    # Where faults are on, notification brings a receiver; by the word in its address a failure is known for meant.
    await effects.subscribe(f"http://notification:8000/faults/receiver/{PROVOKED}-{uuid.uuid4().hex}")
    found: dict[str, Kill] = {}

    async def begun() -> None:
        first_taken(load, 0)

    async with load.running():
        await eventually(begun, within=STARTED_WITHIN)
        for target in _targets(world, load, effects):
            if not wanted or target.name in wanted:
                found[target.name] = await kill(target, load)
    return Aftermath(found, load, effects)


def programs(context: SuiteContext) -> tuple[str, ...]:
    """What is killed, in this order. Prometheus is the last: until it is back, nobody sees what comes back."""
    fixtures = [name for name in ("kafka", "postgresql") if name in context.fixtures]
    return (*sorted(context.services), *fixtures, context.loki.name, context.prometheus.name)


def _targets(world: World, load: Load, effects: Effects) -> list[Target]:
    context, prometheus = world.context, world.prometheus

    async def followed(since: float) -> None:
        # What was taken before is numbered before, and there is more of it with each kill.
        earlier = sum(one.answered_at < since for one in load.taken)
        await effects.heard_of(first_taken(load, since).task, after=max(0, earlier - MARGIN))

    async def found(since: float) -> None:
        lines = await served(world.loki, context, load, since)
        wanted = first_taken(load, since).request_id
        assert wanted in lines, f"Loki has no line of the request {wanted}"

    async def scraped(since: float) -> None:
        # Of each service the newest: a pod that went while nobody looked is there for minutes.
        times = await prometheus.instant(f'max by (service) (timestamp(up{{namespace="{context.namespace}"}}))')
        fresh = {one.labels.get("service") for one in times if one.points[-1][1] > since}
        assert set(context.services) <= fresh, f"scraped since are {sorted(map(str, fresh))}"

    elsewhere = {context.loki.name: (context.loki, found), context.prometheus.name: (context.prometheus, scraped)}
    targets = []
    for name in programs(context):
        address, works = elsewhere.get(name, (None, followed))
        kube = replace(world.kube, namespace=address.namespace) if address else world.kube
        targets.append(Target(name, kube, works, refuses=name in NEEDED))
    return targets


async def served(loki: LokiLogs, context: SuiteContext, load: Load, since: float) -> list[str]:
    """The ids of the load's requests that the backend says it has served, a line each."""
    stream = f'namespace="{context.namespace}", service="backend", container="backend"'
    query = f'{{{stream}}} | json | user_id="{load.backend.user}" | message="request served"'
    lines = await loki.lines(query, start=since - SKEW_SECONDS, end=time.time() + SKEW_SECONDS, limit=5000)
    return [line.labels["request_id"] for line in lines]


def table(kills: dict[str, Kill]) -> SuiteTable:
    """One row a kill, in their order."""
    rows = tuple(
        (
            one.name, str(one.pods), _seconds(one.ready), _seconds(one.recovered), f"{RECOVERED_WITHIN:g} s",
            str(len(one.refused)), one.wrong or "as it should",
        )
        for one in kills.values()
    )  # fmt: skip
    return SuiteTable("resilience", "What was killed under load, and when it worked again", COLUMNS, rows, NOTE)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"
