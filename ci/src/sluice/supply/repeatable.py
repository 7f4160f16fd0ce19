"""What a build leaves of its hour is taken out of an image: the same content gives the same digest on any day.

A builder notes when it made a folder or a file, in which order it met them, and when it ran. None of it changes what
the image does, all of it changes its digest. https://reproducible-builds.org/docs/archives/ names what differs.
"""

import gzip
import os
import shutil
import tarfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from sluice.supply import oci

# What of an image configuration says how to run it (image-spec v1.1, config.md); who built it when says nothing.
_RUN = ("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal")
_XATTR = "SCHILY.xattr."
_GZIP = b"\x1f\x8b"
_KEEP_SECONDS = 7 * 86_400


class Layers:
    """Layers as they were settled, in a folder: a build that changes one line settles one small layer.

    Each is known by the digest it was built with (its diff_id). One that is `kept` stays as it was built: the layers
    of a base image, which other images share.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, diff_id: str, *, kept: bool) -> oci.Layer | None:
        """Return a layer that was settled, or kept, before."""
        own = diff_id.removeprefix("sha256:")
        for path in self._folder.glob(f"{own}.tar" if kept else f"{own}-*.tar"):
            os.utime(path)
            return oci.Layer(path, f"sha256:{path.stem.rpartition('-')[2]}", path.stat().st_size)
        return None

    def settle(self, built: Path, diff_id: str, *, kept: bool) -> oci.Layer:
        """Settle a layer, or keep it: a tar, as it is or in gzip, which is used up by this.

        Raises OSError, and tarfile.TarError for what is no layer.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        settled = built.with_suffix(".settled")
        with _unpacked(built) as content:
            if kept:
                with settled.open("wb") as out:
                    shutil.copyfileobj(content, out, 1 << 20)
            else:
                with tarfile.open(fileobj=content) as layer:
                    _settle(layer, settled)
        built.unlink()
        made = oci.layer_of(settled)
        own = diff_id.removeprefix("sha256:")
        # Named after what it was built as, and after what it became.
        path = self._folder / (f"{own}.tar" if kept else f"{own}-{made.diff_id.removeprefix('sha256:')}.tar")
        settled.replace(path)
        return oci.Layer(path, made.diff_id, made.size_bytes)

    def forget(self) -> None:
        """Remove layers that no build has used for a week."""
        for path in self._folder.glob("*.tar"):
            with suppress(FileNotFoundError):  # another build is as tidy
                if time.time() - path.stat().st_mtime > _KEEP_SECONDS:
                    path.unlink()


def settled_configuration(config: dict[str, Any], layers: Sequence[oci.Layer]) -> bytes:
    """Return an image configuration that says how to run an image, and nothing of its making."""
    given = config.get("config") or {}
    run = {key: given[key] for key in _RUN if given.get(key)}
    return oci.configuration_of(layers, run, architecture=config["architecture"], system=config["os"])


def _unpacked(built: Path) -> IO[bytes]:
    with built.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
    return cast(IO[bytes], gzip.open(built)) if packed else built.open("rb")


def _settle(layer: tarfile.TarFile, target: Path) -> None:
    """Write a layer anew: by name, with no times, and owners by number alone."""

    def order(member: tarfile.TarInfo) -> tuple[bool, str]:
        return member.islnk(), member.name  # a hard link after what it links to

    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as out:
        for member in sorted(layer, key=order):
            member.mtime, member.uname, member.gname = 0, "", ""
            # File capabilities and their kin are content; a time to the nanosecond is not.
            member.pax_headers = {key: value for key, value in member.pax_headers.items() if key.startswith(_XATTR)}
            out.addfile(member, layer.extractfile(member) if member.isreg() else None)
