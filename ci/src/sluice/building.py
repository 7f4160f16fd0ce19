"""What builds the services' images, by the settings' runtime; either delivers to the local registry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from sluice.adapters.docker.builder import DockerBuilder
from sluice.adapters.docker.engine import Engine
from sluice.adapters.docker.registry import LocalRegistry
from sluice.domain import Component
from sluice.ports import ImageBuilder
from sluice.run import Run
from sluice.settings import Settings
from sluice.supply import artifact
from sluice.supply.workbench import in_engine


@asynccontextmanager
async def image_builder(
    settings: Settings, run: Run, engine: Engine, registry: LocalRegistry, base: Component, crane: Component
) -> AsyncIterator[ImageBuilder]:
    """Give the builder; `base` is known to it as artifact.engine_tag says."""
    work, say = settings.cache / "images", partial(run.progress.update, "build images")
    program = artifact.program(crane)
    if settings.run.runtime != "dagger":
        name = await in_engine(engine, base)
        yield DockerBuilder(engine, registry, program, base=name, work=work, logs=run.logs, say=say)
        return
    # Only here: the engine's client takes a second to load.
    from sluice.adapters.dagger_engine.builder import EngineBuilder
    from sluice.adapters.dagger_engine.session import session

    bases = {artifact.engine_tag(base): artifact.archive(base)}
    async with session() as client:
        yield EngineBuilder(
            client, partial(registry.push_layout, crane=program), work=work, crane=program, bases=bases, say=say
        )
