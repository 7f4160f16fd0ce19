"""What every recipe works with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.adapters.docker.engine import Engine
from sluice.domain import Component
from sluice.supply import artifact

GetEngine = Callable[[], Awaitable[Engine]]


@dataclass(frozen=True)
class Workbench:
    """A recipe's surroundings: where to put things, what it starts from, how to say how far it is."""

    cache_root: Path
    log: Path
    parts: Mapping[str, Component]
    engine: GetEngine
    say: Callable[[str], None]


async def in_engine(engine: Engine, component: Component) -> str:
    """Return the name under which the engine holds a base or node image, bringing it there if need be."""
    tag = artifact.engine_tag(component)
    if await engine.image_id(tag) is None:
        await engine.load(artifact.archive(component), tag)
    return tag
