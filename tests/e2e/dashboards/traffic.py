"""A little of everything that dashboards show, so that the suite does not live on what others left behind."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.e2e.support import EFFECT_WITHIN, PROVOKED, SCRAPED_WITHIN, Backend, Clients, shown
from tests.e2e.users import new_user
from tests.e2e.websocket.listening import Sync

from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.steps.collect_evidence import settled
from sluice.steps.run_suites import SuiteContext

# A rate takes two scrapes with something between them, also of series that are born with their first event.
_ROUNDS = 3


@dataclass(frozen=True)
class Traffic:
    """One user's doings: tasks, a series, a reminder, a channel, a WebSocket, a request that fails."""

    context: SuiteContext
    clients: Clients
    sync: Sync
    prometheus: PrometheusMetrics

    async def make(self) -> None:
        """Do everything some times over, with every target scraped in between."""
        user = new_user()
        backend = self.clients.backend(user, lambda _: None)
        notification = self.clients.of("notification", user, lambda _: None)
        # Where faults are on, it brings a receiver; the address holds the word by which a failure is known for meant.
        url = f"http://notification:8000/faults/receiver/{PROVOKED}-dashboards"
        channel = {"kind": "webhook", "url": url, "events": ["task.created", "reminder.due"]}
        shown(await notification.request("POST", "/api/v1/channels", json=channel), 201)
        for _ in range(_ROUNDS):
            await self._round(backend)
            namespace = self.context.namespace
            await settled(self.prometheus, since=time.time(), namespace=namespace, deadline_seconds=SCRAPED_WITHIN)

    async def _round(self, backend: Backend) -> None:
        due = datetime.now(UTC) + timedelta(minutes=1, seconds=2)
        async with self.sync.listening(backend.user) as listener:
            # Left open: a completed task has no reminder.
            await backend.create(title="a task for the dashboards", due_at=due.isoformat(), reminders=[1])
            again = await backend.create(
                title="again", due_at=due.isoformat(), recurrence="FREQ=DAILY", timezone="UTC", priority="high"
            )
            await backend.complete(again["id"])
            # Created, created, completed, and created: the next of the series.
            await listener.changes(4, within=EFFECT_WITHIN)
        await backend.list()
        await backend.provoke_error(f"{PROVOKED}-dashboards")
