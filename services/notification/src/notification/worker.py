"""Sends what is due: claims deliveries, makes one attempt on each, and notes what came of it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter

import anyio
import structlog
from anyio.abc import TaskGroup

from notification.backoff import Backoff
from notification.clock import Clock
from notification.metrics import NotificationMetrics
from notification.outcomes import Claimed, Failed, Sender
from notification.queue import DeliveryQueue
from notification.settings import NotificationSettings
from servicekit.background import Background
from servicekit.context import working_on
from servicekit.problems import Problem

_POLL_SECONDS = 1.0
_NOTING_ATTEMPTS = 10
_NOTING_PAUSE_SECONDS = 0.5
_RELEASE_SECONDS = 2.0

_log = structlog.stdlib.get_logger("notification.worker")


class Worker:
    """One replica's part of the sending; any number of replicas may run beside each other."""

    def __init__(
        self,
        settings: NotificationSettings,
        queue: DeliveryQueue,
        senders: Mapping[str, Sender],
        metrics: NotificationMetrics,
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._senders = senders
        self._metrics = metrics
        self._clock = clock
        self._backoff = Backoff.of(settings)
        self._max_attempts = settings.delivery_max_attempts
        self._free = settings.delivery_concurrency
        self._wake = anyio.Event()

    def wake(self) -> None:
        """Tell the worker that something may be due: it need not wait for its next look."""
        self._wake.set()

    def background(self) -> Background:
        """The sending, for the app to run."""
        return Background("deliveries", self.run)

    async def run(self) -> None:
        """Send what is due, for ever."""
        async with anyio.create_task_group() as group:
            while True:
                self._wake = anyio.Event()
                if not await self._start_due(group):
                    with anyio.move_on_after(_POLL_SECONDS):
                        await self._wake.wait()

    async def attempt(self, delivery: Claimed) -> None:
        """Make one attempt on a claimed delivery, in its event's trace; cancelled, it gives the delivery back."""
        with working_on(delivery.traceparent, user=delivery.owner):
            try:
                failure = await self._send(delivery)
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True), anyio.move_on_after(_RELEASE_SECONDS):
                    await self._note(delivery, lambda: self._queue.release(delivery))
                raise
            # It may have arrived: that is noted even while the service stops.
            with anyio.CancelScope(shield=True):
                await self._settle(delivery, failure)

    async def _start_due(self, group: TaskGroup) -> bool:
        """Start what is due as far as there are places, and return whether there may be more of both."""
        places = self._free
        try:
            claimed = await self._queue.claim(places) if places else []
        except Problem as error:
            _log.warning("deliveries wait", error=str(error.detail))
            return False
        for delivery in claimed:
            self._free -= 1
            group.start_soon(self._occupy, delivery)
        return bool(places) and len(claimed) == places

    async def _occupy(self, delivery: Claimed) -> None:
        try:
            await self.attempt(delivery)
        except Exception:  # noqa: BLE001 - one delivery's mistake must not stop the others
            _log.exception("an outcome was lost: the delivery is made again when its lease ends", **_fields(delivery))
        finally:
            self._free += 1
            self.wake()

    async def _send(self, delivery: Claimed) -> Failed | None:
        if delivery.attempt > self._max_attempts:
            # Only a replica that died while it sent leaves such a one.
            return Failed(delivery.last_error or "a replica ended during the last attempt", permanent=True)
        started = perf_counter()
        try:
            await self._senders[delivery.kind].send(delivery)
        except Failed as error:
            return error
        except Exception as error:  # noqa: BLE001 - one delivery's mistake must not stop the others
            _log.exception("the sender failed", delivery_id=str(delivery.id))
            return Failed(f"the service failed: {type(error).__name__}")
        finally:
            self._metrics.attempted(delivery.kind, perf_counter() - started)
        return None

    async def _settle(self, delivery: Claimed, failure: Failed | None) -> None:
        """Note what came of an attempt; only who still held the lease counts it and tells of it."""
        if failure is None:
            if await self._note(delivery, lambda: self._queue.delivered(delivery)):
                delay = (self._clock() - delivery.occurred_at).total_seconds()
                self._metrics.settled(delivery.kind, "delivered")
                self._metrics.delivered_after(delay)
                _log.info("notification delivered", delay_seconds=delay, **_fields(delivery))
        elif failure.permanent or delivery.attempt >= self._max_attempts:
            if await self._note(delivery, lambda: self._queue.bury(delivery, str(failure))):
                self._metrics.settled(delivery.kind, "dead")
                _log.warning("notification given up", reason=str(failure), **_fields(delivery))
        else:
            seconds = max(self._backoff.seconds(delivery.attempt, random.random()), failure.retry_after)
            if await self._note(delivery, lambda: self._queue.retry(delivery, str(failure), seconds)):
                self._metrics.settled(delivery.kind, "retried")
                _log.warning("notification failed", reason=str(failure), again_in_seconds=seconds, **_fields(delivery))

    async def _note(self, delivery: Claimed, call: Callable[[], Awaitable[bool]]) -> bool:
        """Write what came of an attempt; a database that is away is asked again, because the receiver is not."""
        for _ in range(_NOTING_ATTEMPTS):
            try:
                noted = await call()
            except Problem as error:
                _log.warning("an outcome waits", error=str(error.detail), **_fields(delivery))
                await anyio.sleep(_NOTING_PAUSE_SECONDS)
                continue
            if not noted:
                _log.warning("the lease had ended, or the channel is gone", **_fields(delivery))
            return noted
        return False  # the lease ends by time, and the delivery is made again


def _fields(delivery: Claimed) -> dict[str, object]:
    return {
        "delivery_id": str(delivery.id),
        "channel": delivery.kind,
        "channel_id": str(delivery.channel_id),
        "type": delivery.event,
        "event_id": delivery.event_id,
        "task_id": str(delivery.task_id),
        "attempt": delivery.attempt,
    }
