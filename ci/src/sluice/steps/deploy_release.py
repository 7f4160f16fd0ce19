"""A release's charts onto a target: definitions first, then monitoring and logging, then the services side by side."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio

from sluice.domain import Image, Service
from sluice.promotion.model import ClusterAccess
from sluice.promotion.release import Release
from sluice.steps.install_charts import (
    GRAFANA,
    LOGGING_IMAGES,
    MONITORING_IMAGES,
    SIDECARS,
    Installer,
    install_logging,
    install_monitoring,
    install_service,
    prepare,
)


class Canaries(Protocol):
    """Knows how to try a service's new image on some of its pods first."""

    async def try_out(self, service: Service, image: Image) -> None:
        """Return where it does no worse, or there is nothing to compare. Raises ChartError where it is stopped."""
        ...

    async def end(self, service: Service) -> None:
        """Take the canary away; the service itself is of that image now."""
        ...


async def deploy_release(
    installer: Installer,
    release: Release,
    spaces: ClusterAccess,
    *,
    definitions: Path,
    canary: Canaries | None,
    say: Callable[[str], None],
) -> None:
    """Install everything of a release; raises what installing raises.

    With `canary` one service after the other is tried out, so that of a bad one the others stay as they are.
    """
    beside, grafana = release.among(SIDECARS.values()), release.among([GRAFANA]).get(GRAFANA)
    monitoring, logging = release.among(MONITORING_IMAGES), release.among(LOGGING_IMAGES)
    await prepare(installer, definitions)
    async with anyio.create_task_group() as group:
        say("monitoring and logging")
        group.start_soon(partial(install_monitoring, installer, spaces.monitoring, monitoring, grafana))
        group.start_soon(partial(install_logging, installer, spaces.logging, logging))

    async def service(one: Service) -> None:
        await install_service(installer, one, spaces.services, release.image(one.name), beside)

    if canary is None:
        say("services")
        async with anyio.create_task_group() as group:
            for one in release.services:
                group.start_soon(service, one)
        return
    for one in release.services:
        say(f"{one.name}: canary")
        await canary.try_out(one, release.image(one.name))
        try:
            await service(one)
        finally:
            with anyio.CancelScope(shield=True):
                await canary.end(one)
