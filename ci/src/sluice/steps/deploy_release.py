"""A release's charts onto a target: definitions first, then monitoring and logging, then the services side by side."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio

from sluice.domain import Image, Service
from sluice.promotion.release import Release
from sluice.steps.install_charts import (
    LOGGING_IMAGES,
    MONITORING_IMAGES,
    Installer,
    install_logging,
    install_monitoring,
    install_service,
    prepare,
)

_GRAFANA = "grafana"


class Spaces(Protocol):
    """The namespaces of a target."""

    @property
    def services(self) -> str:
        """Where services go."""
        ...

    @property
    def monitoring(self) -> str:
        """Where Prometheus and its kin go."""
        ...

    @property
    def logging(self) -> str:
        """Where Loki goes."""
        ...


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
    spaces: Spaces,
    *,
    definitions: Path,
    canary: Canaries | None,
    say: Callable[[str], None],
) -> None:
    """Install everything of a release; raises what installing raises.

    With `canary` one service after the other is tried out, so that of a bad one the others stay as they are.
    """
    components = {image.name: image for image in release.components}
    await prepare(installer, definitions)
    monitoring = {name: components[name] for name in MONITORING_IMAGES if name in components}
    logging = {name: components[name] for name in LOGGING_IMAGES if name in components}
    async with anyio.create_task_group() as group:
        say("monitoring and logging")
        group.start_soon(
            partial(install_monitoring, installer, spaces.monitoring, monitoring, components.get(_GRAFANA))
        )
        group.start_soon(partial(install_logging, installer, spaces.logging, logging))

    async def service(one: Service) -> None:
        image = next(image for image in release.images if image.name == one.name)
        await install_service(installer, one, spaces.services, image, components)

    if canary is None:
        say("services")
        async with anyio.create_task_group() as group:
            for one in release.services:
                group.start_soon(service, one)
        return
    for one in release.services:
        say(f"{one.name}: canary")
        await canary.try_out(one, next(image for image in release.images if image.name == one.name))
        try:
            await service(one)
        finally:
            with anyio.CancelScope(shield=True):
                await canary.end(one)
