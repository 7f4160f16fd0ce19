"""Stand-ins for the tests of core and supply: an engine whose containers are files, a server, a progress."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import sluice
from sluice.adapters.docker.engine import Engine
from sluice.adapters.process import Completed
from sluice.errors import CommandFailed

OURS = {"dev.sluice.owner": "sluice"}
# For a Python of its own that imports sluice.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(sluice.__file__).parents[1])}


def container_json(
    image: str, *, running: bool = True, number: str = "id-1", labels: Mapping[str, str] | None = None, port: int = 0
) -> dict[str, Any]:
    """What `docker container inspect` tells, as far as Sluice reads it."""
    bindings = {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]} if port else {}
    return {
        "Id": number,
        "State": {"Running": running},
        "Config": {"Image": image, "Labels": dict(labels or {})},
        "HostConfig": {"PortBindings": bindings},
    }


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class FakeEngine(Engine):
    """An engine whose containers are JSON files in a folder, so that a fake `kind` can make and remove them too."""

    def __init__(self, folder: Path, answers: Mapping[str, Completed] | None = None) -> None:
        super().__init__(folder)
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.answers = dict(answers or {})
        self.calls: list[tuple[str, ...]] = []
        self.inputs: list[bytes | None] = []

    def put(self, name: str, inspected: Mapping[str, Any]) -> None:
        """Have a container."""
        (self.folder / name).write_text(json.dumps(inspected))

    def has(self, name: str) -> bool:
        """Whether there is a container."""
        return (self.folder / name).exists()

    def called(self, *words: str) -> list[tuple[str, ...]]:
        """The calls that begin with these words."""
        return [call for call in self.calls if call[: len(words)] == words]

    async def docker(
        self, *args: str | Path, deadline_seconds: float = 120, check: bool = True, log: Path | None = None,
        on_line: Callable[[str], None] | None = None, what: str = "", stdin: bytes | None = None,
    ) -> Completed:  # fmt: skip
        """Answer as the test says, by the longest beginning that fits; else from the folder; else with success."""
        words = tuple(str(arg) for arg in args)
        self.calls.append(words)
        self.inputs.append(stdin)
        done = self._answer(words)
        if check and done.status != 0:
            raise CommandFailed(f"docker {words[0]} failed", status=done.status, seen=done.tail)
        return done

    def _answer(self, words: tuple[str, ...]) -> Completed:
        line = " ".join(words)
        fitting = [beginning for beginning in self.answers if line.startswith(beginning)]
        if fitting:
            return self.answers[max(fitting, key=len)]
        file = self.folder / words[-1]
        if words[:2] == ("container", "inspect"):
            return Completed(0, f"[{file.read_text()}]", "") if file.exists() else failed("No such container")
        if words[0] == "rm":
            file.unlink(missing_ok=True)
        return Completed(0, "", "")


def failed(said: str, status: int = 1) -> Completed:
    """A program that failed."""
    return Completed(status, "", said)


def program(path: Path, source: str) -> Path:
    """An executable Python script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable} -IS\n{source}")
    path.chmod(0o755)
    return path


@dataclass
class FakeProgress:
    """Implements ports.Progress: remembers what was shown."""

    begun: dict[str, float | None] = field(default_factory=dict)
    said: list[tuple[str, str]] = field(default_factory=list)
    ended: list[tuple[str, str, str]] = field(default_factory=list)

    def begin(self, task: str, *, expected_seconds: float | None = None) -> None:
        self.begun[task] = expected_seconds

    def update(self, task: str, text: str) -> None:
        self.said.append((task, text))

    def end(self, task: str, *, outcome: str, detail: str = "") -> None:
        self.ended.append((task, outcome, detail))


@dataclass
class Served:
    """A server on loopback: what it answers by path, and what it was asked."""

    port: int
    answers: dict[str, tuple[int, bytes]]
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(answers: Mapping[str, tuple[int, bytes]]) -> Iterator[Served]:
    """Serve fixed answers; 404 for every other path. Answers may be changed while it runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append((self.command, self.path))
            status, body = served.answers.get(self.path, (404, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Served(server.server_address[1], dict(answers))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def git(root: Path, *args: str) -> str:
    """Run git as nobody in particular."""
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", "-C", root, *who, *args], capture_output=True, text=True, check=True)
    return done.stdout.strip()
