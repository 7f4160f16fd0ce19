"""A file server and a registry's front that do, on request, what broken servers do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx


@dataclass
class FileServer:
    """Files by path. `missing_bytes` are announced and not sent; `status` is answered in the place of 200."""

    port: int
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    missing_bytes: int = 0
    status: int = 200
    asked: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        """The address of a file."""
        return f"http://127.0.0.1:{self.port}/{path}"


@dataclass
class Front:
    """A registry behind a front: `change` sees each blob's and manifest's path and bytes, and may give others."""

    port: int
    change: Callable[[str, bytes], bytes] | None = None
    cut_to: int | None = None
    status: int | None = None
    asked: list[str] = field(default_factory=list)


@contextmanager
def file_server() -> Iterator[FileServer]:
    """Serve files on a free port of loopback."""

    class Handler(_Quiet):
        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            served.asked.append(path)
            if path in served.redirects:
                self.send_response(302)
                self.send_header("Location", served.redirects[path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = served.files.get(path)
            status = 404 if body is None else served.status
            self.answer(status, body or b"", more=served.missing_bytes)

    with _serve(Handler) as port:
        served = FileServer(port)
        yield served


@contextmanager
def front_of(registry: str) -> Iterator[Front]:
    """Put a front before the registry at `registry` (host:port)."""

    class Handler(_Quiet):
        def do_GET(self) -> None:
            front.asked.append(f"{self.command} {self.path}")
            if front.status is not None and self.path != "/v2/":
                known = {429: b'{"errors":[{"code":"TOOMANYREQUESTS","message":"later"}]}'}
                self.answer(front.status, known.get(front.status, b"no"))
                return
            with httpx.Client(trust_env=False, timeout=10) as client:
                answer = client.request(
                    self.command, f"http://{registry}{self.path}", headers={"Accept": self.headers.get("Accept", "*/*")}
                )
            body, kept = answer.content, {
                name: value for name, value in answer.headers.items() if name.startswith(("docker-", "content-type"))
            }  # fmt: skip
            if self.command == "GET" and front.change and answer.status_code == 200:
                body = front.change(self.path, body)
            more = 0
            if self.command == "GET" and front.cut_to is not None and "/blobs/" in self.path:
                more = max(0, len(body) - front.cut_to)
                body = body[: front.cut_to]
            if self.command == "HEAD":
                more = int(answer.headers.get("Content-Length", 0)) - len(body)
            self.answer(answer.status_code, body, headers=kept, more=more)

        do_HEAD = do_GET  # noqa: N815

    with _serve(Handler) as port:
        front = Front(port)
        yield front


class _Quiet(BaseHTTPRequestHandler):
    def answer(self, status: int, body: bytes, *, headers: dict[str, str] | None = None, more: int = 0) -> None:
        """Answer; `more` bytes are announced and never come."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + more))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def _serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
