"""Service images built by the Dagger engine from the same Dockerfiles and contexts, so that its cache is used.

What comes out is settled as under the runtime docker: of one revision both give the same digests.
"""

import shutil
import tarfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import anyio
import dagger

from sluice.adapters.dagger_engine import base_stage
from sluice.adapters.dagger_engine.failures import as_command_failed
from sluice.adapters.docker.beside import OWNER_LABEL
from sluice.adapters.process import run
from sluice.domain import Image
from sluice.supply import oci
from sluice.supply.cache import digest_of
from sluice.supply.repeatable import Layers, settled_configuration

# Takes a name, an OCI layout and a repository to where images are wanted; returns the image by digest.
Deliver = Callable[[str, Path, str], Awaitable[Image]]

_FILES = ".sluice-base.tar"
_LAYERS = ".layers"  # no service's name begins with a dot
_FLATTEN_SECONDS = 120


class EngineBuilder:
    """Builds with the engine's `docker_build`; implements ports.ImageBuilder.

    `bases` maps the names that build arguments may carry to image archives, which take the place of a registry;
    `work` is a folder for what lies between engine and delivery.
    """

    def __init__(
        self, client: dagger.Client, deliver: Deliver, *, work: Path, crane: Path, bases: Mapping[str, Path],
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._client = client
        self._deliver = deliver
        self._work = work
        self._crane = crane
        self._bases = bases
        self._say = say
        self._flattening = anyio.Lock()
        self._taken_apart: dict[Path, list[oci.Layer]] = {}
        self._layers = Layers(work / _LAYERS)

    async def build(self, name: str, context: Path, *, build_args: Mapping[str, str], repository: str) -> Image:
        """Build, deliver, and return the image by digest. Raises CommandFailed with the builder's last lines."""
        self._say(f"{name}: building")
        folder = self._client.host().directory(str(context))
        arguments, base = dict(build_args), list[oci.Layer]()
        for key, value in build_args.items():
            if value in self._bases:
                folder, base = await self._based(folder, context, self._bases[value])
                arguments[key] = base_stage.NAME
        built = folder.docker_build(build_args=[dagger.BuildArg(key, value) for key, value in arguments.items()])
        built = built.with_label(OWNER_LABEL, "sluice")
        archive, layout = self._work / f"{name}.tar", self._work / name
        self._work.mkdir(parents=True, exist_ok=True)
        try:
            # Uncompressed: layers travel over loopback, where packing and unpacking would take longer.
            await built.as_tarball(
                forced_compression=dagger.ImageLayerCompression.UNCOMPRESSED,
                media_types=dagger.ImageMediaTypes.OCIMediaTypes,
            ).export(str(archive))
        except dagger.QueryError as error:
            raise as_command_failed(
                f"building the image of {name} failed", error, expected="an image",
                next_command=f"mend services/{name}/Dockerfile or what it copies",
            ) from None  # fmt: skip
        shutil.rmtree(layout, ignore_errors=True)
        await anyio.to_thread.run_sync(self._settle, archive, layout, base)
        self._say(f"{name}: {oci.layout_digest(layout)[:19]}")
        return await self._deliver(name, layout, repository)

    def _settle(self, archive: Path, layout: Path, base: Sequence[oci.Layer]) -> None:
        """Write the image that the engine exported anew, of its content and of no day.

        Where it was built on a `base`, its lowest layer is that base in one piece: the base's own take its place, which
        images of components share.
        """
        built = layout.with_suffix(".built")
        shutil.rmtree(built, ignore_errors=True)
        _unpack(archive, built)
        archive.unlink()
        config = oci.layout_configuration(built)
        own = list(zip(oci.layout_layers(built), config["rootfs"]["diff_ids"], strict=True))[1 if base else 0 :]
        settled = [
            self._layers.find(diff_id, kept=False) or self._layers.settle(blob, diff_id, kept=False)
            for blob, diff_id in own
        ]
        layers = [*base, *settled]
        oci.write_layout(layout, settled_configuration(config, layers), layers)
        shutil.rmtree(built)
        self._layers.forget()

    async def _based(
        self, folder: dagger.Directory, context: Path, archive: Path
    ) -> tuple[dagger.Directory, list[oci.Layer]]:
        """The context with a base in it, and the base's layers."""
        files, layers = await self._flat(archive)
        dockerfile = (context / "Dockerfile").read_text()
        settings = await anyio.to_thread.run_sync(base_stage.settings_of, archive)
        context_with = folder.with_file(_FILES, self._client.host().file(str(files))).with_new_file(
            "Dockerfile", base_stage.with_base(dockerfile, _FILES, settings)
        )
        return context_with, layers

    async def _flat(self, archive: Path) -> tuple[Path, list[oci.Layer]]:
        """The files of an image as one tar, and its layers; services that start from the same image share both."""
        async with self._flattening:
            digest = await anyio.to_thread.run_sync(digest_of, archive)
            flat = self._work / f"{digest.removeprefix('sha256:')[:16]}.tar"
            if not flat.exists():
                flat.parent.mkdir(parents=True, exist_ok=True)
                temporary = flat.with_suffix(".tmp")
                await run(
                    [self._crane, "export", "-", temporary], stdin=await anyio.Path(archive).read_bytes(),
                    deadline_seconds=_FLATTEN_SECONDS, what=f"flattening {archive.name}",
                )  # fmt: skip
                temporary.rename(flat)
            if archive not in self._taken_apart:
                _, layers = await anyio.to_thread.run_sync(oci.unpack_archive, archive, flat.with_suffix(".layers"))
                self._taken_apart[archive] = layers
        return flat, self._taken_apart[archive]


def into_folder(target: Path) -> Deliver:
    """Return a delivery that leaves each layout under its service's name in a folder."""

    async def deliver(name: str, layout: Path, repository: str) -> Image:
        place = target / name
        await anyio.to_thread.run_sync(lambda: shutil.copytree(layout, place, dirs_exist_ok=True))
        return Image(name, repository, oci.layout_digest(layout), oci.layout_size(layout))

    return deliver


def _unpack(archive: Path, layout: Path) -> None:
    """Take a layout out of its tar: plain files only, and none whose name leads out of the folder."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            content = tar.extractfile(member)
            if content is None or name.is_absolute() or ".." in name.parts:
                continue
            target = layout / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                shutil.copyfileobj(content, out)
