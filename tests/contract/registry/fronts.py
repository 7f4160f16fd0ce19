"""Fronts that add what crane's registry lacks, which serves anybody in plain HTTP, and without referrers API."""

import base64
import hashlib
import json
import shutil
import socket
import ssl
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx

_HANDSHAKE = b"\x16"  # the first byte of TLS, RFC 8446, 5.1
_INDEX = "application/vnd.oci.image.index.v1+json"
_PASSED_ON = ("accept", "content-type", "content-range")
_PASSED_BACK = ("docker-", "content-type", "location", "range")


@dataclass
class Front:
    """A server on loopback; `asked` are the requests that got to it, `proxied` those that came as to a proxy."""

    host: str = ""
    asked: list[str] = field(default_factory=list)
    proxied: list[str] = field(default_factory=list)


@contextmanager
def front_of(registry: str, *, referrers: bool = False, login: str = "", tls: Path | None = None) -> Iterator[Front]:
    """Put a front before the registry at `registry` (host:port).

    With `referrers` it has the referrers API (distribution spec 1.1), with `login` (user:password) it lets nobody else
    in, with `tls` (a certificate and its key in PEM) it speaks HTTPS.
    """
    allowed = f"Basic {base64.b64encode(login.encode()).decode()}"
    listed: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)

    class Handler(Quiet):
        def handle_any(self) -> None:
            body = self.body()
            front.asked.append(f"{self.command} {self.path}")
            if login and self.headers.get("Authorization") != allowed:
                self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
                            {"WWW-Authenticate": 'Basic realm="contract"'})  # fmt: skip
                return
            repository, _, rest = self.path.removeprefix("/v2/").rpartition("/referrers/")
            if referrers and repository:
                found = listed[repository, rest.partition("?")[0]]
                index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": found}
                self.answer(200, json.dumps(index).encode(), {"Content-Type": _INDEX})
                return
            with httpx.Client(trust_env=False, timeout=10) as client:
                given = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
                got = client.request(self.command, f"http://{registry}{self.path}", headers=given, content=body)
            kept = {name: value for name, value in got.headers.items() if name.startswith(_PASSED_BACK)}
            repository, _, rest = self.path.removeprefix("/v2/").rpartition("/manifests/")
            subject = json.loads(body).get("subject") if self.command == "PUT" and repository else None
            if referrers and subject and got.is_success:
                kept["OCI-Subject"] = subject["digest"]
                entry = _descriptor(body)
                if entry not in listed[repository, subject["digest"]]:
                    listed[repository, subject["digest"]].append(entry)
            length = got.headers.get("Content-Length", "0") if self.command == "HEAD" else None
            self.answer(got.status_code, got.content, kept, length=length)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    with serve(Handler, tls) as port:
        front = Front(f"localhost:{port}")
        yield front


@contextmanager
def proxy() -> Iterator[Front]:
    """A proxy that lets nobody through, and tells where they wanted to."""

    class Handler(Quiet):
        def handle_any(self) -> None:
            front.proxied.append(self.path)
            self.answer(502, b"")

        do_CONNECT = do_GET = do_POST = do_HEAD = handle_any  # noqa: N815

    with serve(Handler, None) as port:
        front = Front(f"127.0.0.1:{port}")
        yield front


def certificate(folder: Path) -> Path:
    """A certificate for localhost and its key, in one PEM file of the folder."""
    openssl = shutil.which("openssl")
    assert openssl, "openssl makes the certificate of a registry: apt-get install openssl"
    folder.mkdir(exist_ok=True)
    made = folder / "both.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = "subjectAltName=DNS:localhost"
    subprocess.run(
        [openssl, *words.split(), "-addext", names, "-keyout", made, "-out", folder / "certificate.pem"],
        check=True,
        capture_output=True,
    )
    with made.open("ab") as both:
        both.write((folder / "certificate.pem").read_bytes())
    return made


def _descriptor(manifest: bytes) -> dict[str, Any]:
    content = json.loads(manifest)
    return {
        "mediaType": content["mediaType"],
        "digest": f"sha256:{hashlib.sha256(manifest).hexdigest()}",
        "size": len(manifest),
        "artifactType": content.get("artifactType") or content["config"]["mediaType"],
        "annotations": content.get("annotations", {}),
    }


class Quiet(BaseHTTPRequestHandler):
    """A handler that writes nothing to the terminal."""

    def body(self) -> bytes:
        """What came with the request, of a length told or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, length: str | None = None
    ) -> None:
        """Answer, and close."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class _TlsServer(ThreadingHTTPServer):
    """HTTPS; to plain HTTP it answers as others do: programs that try both on localhost then do not try again."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], pem: Path) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; OSError, which the server passes over, where it comes to nothing."""
        accepted, address = super().get_request()
        if accepted.recv(1, socket.MSG_PEEK) != _HANDSHAKE:
            with accepted:
                accepted.recv(4096)
                accepted.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nthis is an HTTPS server\n")
            raise ConnectionAbortedError
        return self._context.wrap_socket(accepted, server_side=True), address


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler], pem: Path | None) -> Iterator[int]:
    """Serve on a port of loopback, with TLS where there is a certificate with its key in PEM."""
    server = _TlsServer(handler, pem) if pem else ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
