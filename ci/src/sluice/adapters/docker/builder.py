"""Service images built by this host's engine and pushed to the local registry."""

import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import anyio

from sluice.adapters.docker.beside import OURS
from sluice.adapters.docker.engine import Engine
from sluice.adapters.docker.registry import LocalRegistry
from sluice.domain import Image
from sluice.files import write_atomically
from sluice.supply import oci
from sluice.supply.cache import digest_of, key_of
from sluice.supply.repeatable import Layers, settled_configuration

_BUILD_SECONDS = 600
_PUSH_SECONDS = 300
# Beside the services' records; no service's name begins with a dot.
_LAYERS, _BUILDING = ".layers", ".building"


class DockerBuilder:
    """Builds with `docker build`; what was built from the same content is not built again.

    `work` remembers content → digest, so that an unchanged service costs one question to the registry, and layers.
    `base` is the image that services start from: its layers are shared with components' images and stay as they are.
    """

    def __init__(
        self, engine: Engine, registry: LocalRegistry, crane: Path, *, base: str, work: Path, logs: Path,
        say: Callable[[str], None], cached: bool = True,
    ) -> None:  # fmt: skip
        """With `cached` false the engine builds every layer anew: only to see whether it is the same again."""
        self._engine = engine
        self._registry = registry
        self._crane = crane
        self._base = base
        self._work = work
        self._logs = logs
        self._say = say
        self._fresh = () if cached else ("--no-cache",)
        self._layers = Layers(work / _LAYERS)

    async def build(self, name: str, context: Path, *, build_args: Mapping[str, str], repository: str) -> Image:
        """Build, push, and return the image by digest. Raises CommandFailed with the builder's last lines."""
        record = self._work / name / f"{key_of(['settled', digest_of(context), dict(build_args), repository])}.json"
        known = _read(record)
        if known and await self._registry.holds(repository, known.digest):
            return known
        log = self._logs / f"image-{name}.log"
        tag = f"{repository}:latest"
        arguments = [word for key, value in build_args.items() for word in ("--build-arg", f"{key}={value}")]
        await self._engine.docker(
            # Everything is in the context: a build that reached for the network would not be repeatable.
            "build",
            "--network",
            "none",
            *self._fresh,
            "--label",
            OURS,
            *arguments,
            "--tag",
            tag,
            context,
            deadline_seconds=_BUILD_SECONDS,
            log=log,
            on_line=self._say,
            what=f"building the image of {name}",
        )
        await self._engine.docker("push", tag, deadline_seconds=_PUSH_SECONDS, log=log, what=f"pushing {name}")
        image = await self._settled(name, repository)
        record.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(record, json.dumps(vars(image)).encode())
        return image

    async def _settled(self, name: str, repository: str) -> Image:
        """The image that was pushed once more, with a digest of its content and of no day; new layers alone travel."""
        folder = self._work / _BUILDING / repository.replace("/", "_")
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed here
        folder.mkdir(parents=True)
        base = await self._layers_of(self._base)
        config, blobs = await self._registry.pushed(repository)
        layers = []
        for blob, diff_id in zip(blobs, config["rootfs"]["diff_ids"], strict=True):
            kept = diff_id in base
            layer = self._layers.find(diff_id, kept=kept)
            if layer is None:
                await self._registry.fetch(repository, blob, folder / "layer")
                settle = partial(self._layers.settle, folder / "layer", diff_id, kept=kept)
                layer = await anyio.to_thread.run_sync(settle)
            layers.append(layer)
        oci.write_layout(folder / "oci", settled_configuration(config, layers), layers)
        image = await self._registry.push_layout(name, folder / "oci", repository, self._crane)
        shutil.rmtree(folder)
        self._layers.forget()
        return image

    async def _layers_of(self, reference: str) -> tuple[str, ...]:
        """The digests of an image's layers, uncompressed."""
        shown = await self._engine.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", reference)
        return tuple(json.loads(shown.stdout))


def _read(record: Path) -> Image | None:
    try:
        return Image(**json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        return None
