"""Beside the sending: how many deliveries wait is measured, and what is long done is forgotten."""

from __future__ import annotations

import anyio

from notification.deliveries import DeliveryStore
from notification.metrics import NotificationMetrics
from notification.queue import DeliveryQueue
from servicekit.background import Background

_MEASURE_SECONDS = 5.0
_FORGET_SECONDS = 3600.0


def measuring(queue: DeliveryQueue, metrics: NotificationMetrics) -> Background:
    """Background work that keeps the gauge of pending deliveries true."""

    async def run() -> None:
        while True:
            metrics.pending(await queue.pending())
            await anyio.sleep(_MEASURE_SECONDS)

    return Background("deliveries measured", run)


def forgetting(store: DeliveryStore) -> Background:
    """Background work that deletes deliveries which have been over for long."""

    async def run() -> None:
        while True:
            await store.forget()
            await anyio.sleep(_FORGET_SECONDS)

    return Background("deliveries forgotten", run)
