"""Images without an engine: a program in an image of its own, layouts and archives, byte for byte repeatable.

Formats: the OCI image layout and image configuration (https://github.com/opencontainers/image-spec, v1.1),
and the archive that `docker save` writes (manifest.json, a configuration and layer tars).
Layers stay uncompressed: they travel over loopback, where packing and unpacking would take longer.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Layer:
    """An uncompressed layer tar on disk; `diff_id` is its digest."""

    path: Path
    diff_id: str
    size_bytes: int


def write_layer(target: Path, files: Mapping[str, Path], links: Mapping[str, str] | None = None) -> Layer:
    """Write a layer that holds files (path in the image → file here, mode 0755) and symbolic links.

    Owners, times and order are fixed, so the same content gives the same digest on any day.
    """
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for folder in _folders([*files, *(links or {})]):
            tar.addfile(_member(folder, tarfile.DIRTYPE))
        for name, source in sorted(files.items()):
            member = _member(name, tarfile.REGTYPE)
            member.size = source.stat().st_size
            with source.open("rb") as file:
                tar.addfile(member, file)
        for name, points_to in sorted((links or {}).items()):
            member = _member(name, tarfile.SYMTYPE)
            member.linkname = points_to
            tar.addfile(member)
    return layer_of(target)


def layer_of(path: Path) -> Layer:
    """Describe a layer tar that exists already."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Layer(path, f"sha256:{digest}", path.stat().st_size)


def configuration(layers: Sequence[Layer], entrypoint: Sequence[str], user: str = "") -> bytes:
    """Return the configuration of an image that is one program, for this architecture."""
    run = {"Entrypoint": list(entrypoint), "Env": [_PATH], "User": user, "WorkingDir": "/"}
    return configuration_of(layers, run)


def configuration_of(
    layers: Sequence[Layer], run: Mapping[str, object], *, architecture: str = "amd64", system: str = "linux"
) -> bytes:
    """Return an image configuration (image-spec, config.md) with no time in it; `run` says how to run the image."""
    return _json(
        {
            "architecture": architecture,
            "os": system,
            "config": dict(run),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
    )


def write_layout(folder: Path, config: bytes, layers: Sequence[Layer]) -> str:
    """Write an image as an OCI layout; returns the manifest's digest, which is the image's identity."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for layer in layers:
        blob = blobs / layer.diff_id.removeprefix("sha256:")
        if not blob.exists():
            os.link(layer.path, blob)
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor(blobs, config, "application/vnd.oci.image.config.v1+json"),
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": layer.diff_id,
                    "size": layer.size_bytes,
                }
                for layer in layers
            ],
        }
    )
    descriptor = _descriptor(blobs, manifest, "application/vnd.oci.image.manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_bytes(_json({"schemaVersion": 2, "manifests": [descriptor]}))
    return str(descriptor["digest"])


def layout_digest(folder: Path) -> str:
    """Return the digest of the one image that a layout holds."""
    index = json.loads((folder / "index.json").read_bytes())
    return str(index["manifests"][0]["digest"])


def layout_layers(folder: Path) -> list[Path]:
    """Return the files of a layout's layers, lowest first."""
    return [_blob(folder, str(layer["digest"])) for layer in _layout_manifest(folder)["layers"]]


def layout_configuration(folder: Path) -> dict[str, Any]:
    """Return the configuration of the image that a layout holds (image-spec v1.1, manifest.md and config.md)."""
    found: dict[str, Any] = json.loads(_blob(folder, _layout_manifest(folder)["config"]["digest"]).read_bytes())
    return found


def _layout_manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_blob(folder, layout_digest(folder)).read_bytes())
    return found


def _blob(folder: Path, digest: str) -> Path:
    return folder / "blobs" / "sha256" / digest.removeprefix("sha256:")


def layout_size(folder: Path) -> int:
    """Return the bytes of a layout's blobs."""
    return sum(blob.stat().st_size for blob in (folder / "blobs" / "sha256").iterdir())


def unpack_archive(archive: Path, folder: Path) -> tuple[bytes, list[Layer]]:
    """Take a `docker save` archive of one image apart; returns its configuration and layers, kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        manifest = json.load(_open(tar, "manifest.json"))[0]
        config = _open(tar, manifest["Config"]).read()
        layers = []
        for number, name in enumerate(manifest["Layers"]):
            path = folder / f"layer-{number}.tar"
            with path.open("wb") as out:
                source = _open(tar, name)
                while chunk := source.read(1 << 20):
                    out.write(chunk)
            layers.append(layer_of(path))
    return config, layers


@dataclass(frozen=True)
class Tagged:
    """An image for an archive: its tags, configuration and layers."""

    tags: Sequence[str]
    config: bytes
    layers: Sequence[Layer]


def write_archive(target: Path, images: Sequence[Tagged]) -> None:
    """Write images as one `docker save` archive; a layer that several share is written once."""
    entries, written = [], set()
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for image in images:
            config_name = hashlib.sha256(image.config).hexdigest() + ".json"
            names = [layer.diff_id.removeprefix("sha256:") + ".tar" for layer in image.layers]
            for name, layer in zip(names, image.layers, strict=True):
                if name not in written:
                    written.add(name)
                    member = _member(name, tarfile.REGTYPE, mode=0o644)
                    member.size = layer.size_bytes
                    with layer.path.open("rb") as file:
                        tar.addfile(member, file)
            if config_name not in written:
                written.add(config_name)
                _add(tar, config_name, image.config)
            entries.append({"Config": config_name, "RepoTags": list(image.tags), "Layers": names})
        _add(tar, "manifest.json", _json(entries))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _descriptor(blobs: Path, content: bytes, media_type: str) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def _folders(names: Sequence[str]) -> list[str]:
    found = {str(parent) for name in names for parent in PurePosixPath(name.lstrip("/")).parents}
    return sorted(found - {"."})


def _member(name: str, kind: bytes, mode: int = 0o755) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name.lstrip("/"))
    member.type, member.mode, member.mtime = kind, mode, 0
    return member


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = _member(name, tarfile.REGTYPE, mode=0o644)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _open(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    """Open a member; newer engines write a layer once and link the other places to it."""
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file
