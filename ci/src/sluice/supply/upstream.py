"""Components as their makers publish them: images pulled by digest, release files held to their SHA-256.

The first time something is obtained, its digest is written to upstream.lock.json; from then on nothing else is taken.
"""

import gzip
import hashlib
import re
import tarfile
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from sluice.adapters.process import run
from sluice.errors import CommandFailed, DigestMismatch, NotReady, SupplyError, Truncated, Unreachable
from sluice.supply import artifact, oci
from sluice.supply.catalog import Entry
from sluice.supply.lock import LOCK, Lock
from sluice.supply.workbench import Workbench

_PULL_SECONDS = 1800
_SAID_BYTES = 1 << 20
_AWAY = ("connection refused", "connection reset", "no such host", "i/o timeout", "dial tcp", "did not end within",
         "deadline exceeded", "TOOMANYREQUESTS", "UNAVAILABLE", "certificate")  # fmt: skip
_PROBE_SECONDS = 3.0


def host_of(entry: Entry) -> str:
    """Return the host (and port) an upstream component lies at; empty where it has no upstream."""
    image = entry.upstream_image()
    return image.partition("/")[0] if image else urlsplit(entry.upstream_archive()).netloc


async def answers(entry: Entry) -> bool:
    """Ask once whether a component's upstream host speaks HTTP, and is not merely a proxy that regrets."""
    address = entry.upstream_archive() or f"{_scheme(entry)}://{host_of(entry)}/v2/"
    try:
        async with (
            httpx.AsyncClient(timeout=_PROBE_SECONDS, trust_env=not _is_local(entry)) as client,
            client.stream("GET", address, headers={"Range": "bytes=0-0"}) as answer,
        ):
            return answer.status_code < 500
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return False


def _scheme(entry: Entry) -> str:
    if entry.upstream_archive():
        return urlsplit(entry.upstream_archive()).scheme
    # As every registry client does it: a registry on this machine speaks plain HTTP.
    return "http" if _is_local(entry) else "https"


def _is_local(entry: Entry) -> bool:
    return host_of(entry).split(":")[0] in ("localhost", "127.0.0.1")


async def obtain(entry: Entry, into: Path, bench: Workbench, lock: Lock) -> str:
    """Fetch a component from its upstream into the folder `into`; returns the upstream digest.

    Raises Unreachable, Truncated, DigestMismatch, or SupplyError with what the registry said.
    """
    if entry.upstream_image():
        return await _pull(entry, into, bench, lock)
    return await _download(entry, into, bench, lock)


async def _pull(entry: Entry, into: Path, bench: Workbench, lock: Lock) -> str:
    crane = artifact.program(bench.parts["crane"])
    image = entry.upstream_image()
    platform = ["--platform", "linux/amd64"]
    digest = locked = lock.get(image)
    try:
        if digest is None:
            asked = await run([crane, "digest", *platform, image], deadline_seconds=60, log=bench.log)
            digest = asked.stdout.strip()
            bench.say(f"locking {image} to {digest[:19]}…")
        reference = f"{image.rpartition(':')[0]}@{digest}"
        form, target = ("oci", into / "oci") if entry.form == "image" else ("tarball", into / "image.tar")
        await run(
            [crane, "pull", *platform, f"--format={form}", reference, target],
            deadline_seconds=_PULL_SECONDS,
            log=bench.log,
            on_line=bench.say,
        )
    except (CommandFailed, NotReady) as error:
        said = error.seen if isinstance(error, CommandFailed) else str(error)
        raise _registry_error(entry, image, said, locked) from None
    if entry.form == "image":
        _check_layout(entry, into / "oci", digest)
    lock.record(image, digest)
    return digest


def _check_layout(entry: Entry, folder: Path, digest: str) -> None:
    """Hold every blob to its name and the image to the digest that was asked for."""
    seen = oci.layout_digest(folder)
    if seen != digest:
        raise DigestMismatch(
            f"{entry.name}: another image arrived than was asked for",
            seen=seen,
            expected=digest,
            next_command="ask the registry's owner; nothing was kept",
        )
    for blob in (folder / "blobs" / "sha256").iterdir():
        with blob.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != blob.name:
            raise DigestMismatch(
                f"{entry.name}: a layer is not what its name says",
                seen=found,
                expected=blob.name,
                next_command="run this again; nothing was kept",
            )


def _registry_error(entry: Entry, image: str, said: str, locked: str | None) -> SupplyError:
    last = said.strip().splitlines()[-1].strip() if said.strip() else "no answer"
    again = "run this again; nothing was kept"
    if "unexpected EOF" in said or "content length" in said.lower():
        return Truncated(
            f"{entry.name}: the transfer of {image} broke off",
            seen=last,
            expected="the whole image",
            next_command=again,
        )
    if "checksum" in said or "does not match" in said or "verifying" in said:
        return DigestMismatch(
            f"{entry.name}: {image} is not what its digest says",
            seen=last,
            expected="content of the digest that is locked",
            next_command=again,
        )
    if any(word in said for word in _AWAY) or re.search(r"status code (429|5\d\d)", said):
        return Unreachable(
            f"{entry.name}: {image} cannot be reached",
            seen=last,
            expected="an answer of the registry",
            next_command="./nox -s supply -- --supply source",
        )
    if locked and any(word in said for word in ("MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND", "404")):
        return DigestMismatch(
            f"{entry.name}: the registry has no image of the digest that is locked for {image}",
            seen=last,
            expected=locked,
            next_command=f"remove its line from {LOCK.name} if the change is meant; nothing was kept",
        )
    return SupplyError(
        f"{entry.name}: the registry refused {image}",
        seen=last,
        expected="the image",
        next_command="check `upstream` of the component in catalog.toml",
    )


async def _download(entry: Entry, into: Path, bench: Workbench, lock: Lock) -> str:
    address = entry.upstream_archive()
    target = into / "download"
    total = hashlib.sha256()
    received, announced, begun = 0, None, False
    try:
        async with (
            httpx.AsyncClient(timeout=30, follow_redirects=True, trust_env=not _is_local(entry)) as client,
            client.stream("GET", address, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            answer.raise_for_status()
            begun = True
            announced = int(answer.headers["Content-Length"]) if "Content-Length" in answer.headers else None
            with target.open("wb") as file:
                async for chunk in answer.aiter_raw():
                    file.write(chunk)
                    total.update(chunk)
                    received += len(chunk)
                    if received // _SAID_BYTES > (received - len(chunk)) // _SAID_BYTES:
                        bench.say(f"{received / 1e6:.0f} of {(announced or 0) / 1e6:.0f} MB")
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status == 429 or status >= 500:
            raise Unreachable(
                f"{entry.name}: {address} is not to be had now",
                seen=f"HTTP {status}",
                expected="HTTP 200",
                next_command="run this again later, or ./nox -s supply -- --supply source",
            ) from None
        raise SupplyError(
            f"{entry.name}: {address} was refused",
            seen=f"HTTP {status}",
            expected="HTTP 200",
            next_command="check `upstream` of the component in catalog.toml",
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        if begun:
            raise _truncated(entry, received, announced, f"{type(error).__name__}: {error}") from None
        raise Unreachable(
            f"{entry.name}: {address} cannot be reached",
            seen=f"{type(error).__name__}: {error}",
            expected="HTTP 200",
            next_command="./nox -s supply -- --supply source",
        ) from None
    if announced is not None and received != announced:
        raise _truncated(entry, received, announced, "the connection ended")
    digest = f"sha256:{total.hexdigest()}"
    expected = lock.get(address)
    if expected not in (None, digest):
        raise DigestMismatch(
            f"{entry.name}: {address} is not the file that was locked",
            seen=digest,
            expected=str(expected),
            next_command="ask its makers; nothing was kept",
        )
    _place(entry, target, into)
    lock.record(address, digest)
    return digest


def _truncated(entry: Entry, received: int, announced: int | None, cause: str) -> Truncated:
    return Truncated(
        f"{entry.name}: {entry.upstream_archive()} arrived in part",
        seen=f"{received} bytes, {cause}",
        expected=f"{announced} bytes" if announced is not None else "the whole file",
        next_command="run this again; nothing was kept",
    )


def _place(entry: Entry, download: Path, into: Path) -> None:
    """Put a verified download where its form has it, out of its archive where it names a member."""
    member = entry.upstream.member.format(version=entry.version) if entry.upstream else ""
    if entry.form == "files":
        (into / "files").mkdir()
        download.rename(into / "files" / Path(urlsplit(entry.upstream_archive()).path).name)
        return
    target = into / entry.name
    if member:
        try:
            with tarfile.open(download) as archive:
                source = archive.extractfile(member)
                assert source is not None
                target.write_bytes(source.read())
        except (tarfile.TarError, KeyError, AssertionError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SupplyError(
                f"{entry.name}: no {member} in {entry.upstream_archive()}",
                seen=str(error),
                expected=member,
                next_command="check `member` of the component in catalog.toml",
            ) from None
        download.unlink()
    else:
        download.rename(target)
    target.chmod(0o755)
