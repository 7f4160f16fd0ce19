"""Each service's image, from its Dockerfile and a context that needs no network."""

import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import anyio

from sluice.domain import Image, Images, Service, Source
from sluice.ports import ImageBuilder
from sluice.steps.resolve_source import BUILD_LOCK, OWN_OR_COMMON, SHARED, is_waste, own_or_common

Wheelhouse = Callable[[Path], Awaitable[Path]]


async def build_images(
    source: Source, *, builder: ImageBuilder, wheelhouse: Wheelhouse, staging: Path, base: str, registry: str
) -> Images:
    """Build every service's image and push it to `registry`; returns them by digest, in the order of the services.

    `wheelhouse` gives the folder with the wheels of a lock file; `base` is the image that services start from.
    Raises CommandFailed with the last lines of the build that failed.
    """
    built: dict[str, Image] = {}

    async def build(service: Service) -> None:
        context = await _stage(Path(source.root), service, wheelhouse, staging)
        arguments: Mapping[str, str] = {"PYTHON_IMAGE": base, "MODULE": service.module, "PORT": str(service.port)}
        built[service.name] = await builder.build(
            service.name, context, build_args=arguments, repository=f"{registry}/{service.name}"
        )

    # The first one alone: it makes the layers of packages that the others then take from the builder's cache. Begun
    # together, each would make its own, and every node would pull all of them.
    first, *others = source.services
    await build(first)
    async with anyio.create_task_group() as group:
        for service in others:
            group.start_soon(build, service)
    return Images(tuple(built[service.name] for service in source.services))


async def _stage(root: Path, service: Service, wheelhouse: Wheelhouse, staging: Path) -> Path:
    """Lay out what services/README.md promises a Dockerfile; wheels are linked, not copied."""
    dockerfile, lock = (own_or_common(root, service, name) for name in OWN_OR_COMMON)
    context = staging / service.name
    shutil.rmtree(context, ignore_errors=True)
    (context / "wheels").mkdir(parents=True)
    for locked in (lock, root / "services" / BUILD_LOCK):
        for wheel in sorted((await wheelhouse(locked)).glob("*.whl")):
            _link(wheel, context / "wheels" / wheel.name)
    shutil.copy2(lock, context / "requirements.lock")
    shutil.copy2(dockerfile, context / "Dockerfile")
    _copy(root / "services" / SHARED, context / SHARED)
    _copy(root / service.folder, context / "service")
    return context


def _link(wheel: Path, target: Path) -> None:
    """Link a file, or copy it where file systems differ; one that both locks name is the same."""
    if target.exists():
        return
    try:
        os.link(wheel, target)
    except OSError:
        shutil.copyfile(wheel, target)


def _copy(source: Path, target: Path) -> None:
    """Copy sources without tests and tools' leftovers: what does not run does not change the image."""

    def left_out(folder: str, names: list[str]) -> list[str]:
        here = Path(folder).relative_to(source)
        return [name for name in names if is_waste(here / name) or (here == Path() and name == "tests")]

    shutil.copytree(source, target, ignore=left_out)
