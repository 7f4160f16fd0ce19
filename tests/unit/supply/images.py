"""Images as a builder leaves them, built on some day."""

import gzip
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any


@dataclass(frozen=True)
class File:
    """A member of a layer."""

    name: str
    content: bytes = b""
    kind: bytes = tarfile.REGTYPE
    link: str = ""
    mode: int = 0o644
    uid: int = 0


SOURCES = (
    File("app", kind=tarfile.DIRTYPE, mode=0o755),
    File("app/main.py", b"print(1)"),
    File("app/a-second-name", kind=tarfile.LNKTYPE, link="app/main.py"),
    File("app/link", kind=tarfile.SYMTYPE, link="main.py"),
    File("app/.wh.gone.py"),
)


@dataclass(frozen=True)
class Day:
    """What a build leaves of itself."""

    time: float = 1_000_000_000.25
    owner: str = "root"
    backwards: bool = False
    created: str = "2026-11-26T07:00:00Z"
    packed: bool = False


def tarred(files: Iterable[File], day: Day) -> bytes:
    out = io.BytesIO()
    listed = list(files)
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in reversed(listed) if day.backwards else listed:
            member = tarfile.TarInfo(file.name)
            member.type, member.mode, member.uid, member.linkname = file.kind, file.mode, file.uid, file.link
            member.size, member.mtime, member.uname = len(file.content), day.time, day.owner
            member.pax_headers = {"atime": str(day.time), "SCHILY.xattr.user.note": "kept"}
            tar.addfile(member, io.BytesIO(file.content))
    return out.getvalue()


@dataclass(frozen=True)
class Built:
    """An image as a builder left it: its configuration, and its layers as they travel."""

    config: dict[str, Any]
    layers: tuple[bytes, ...]

    @property
    def diff_ids(self) -> list[str]:
        """The digests that its layers were built with."""
        return list(self.config["rootfs"]["diff_ids"])


def built(layers: Iterable[Iterable[File]], day: Day, **run: Any) -> Built:
    """An image of some layers, built on some day."""
    tars = [tarred(files, day) for files in layers]
    config = {
        "architecture": "amd64", "os": "linux", "created": day.created, "docker_version": day.owner,
        "container": day.created, "history": [{"created": day.created, "created_by": "COPY"}],
        "config": {
            "Hostname": day.owner, "Env": ["A=1"], "Entrypoint": ["python3"], "User": "65532", "Cmd": None, **run
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(raw).hexdigest()}" for raw in tars]},
    }  # fmt: skip
    return Built(config, tuple(gzip.compress(raw) if day.packed else raw for raw in tars))
