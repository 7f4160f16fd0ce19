"""The commands that every image has, and those that a service adds."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from servicekit import entrypoint
from servicekit.app import Service
from servicekit.entrypoint import run
from servicekit.settings import ServiceSettings

DEADLINE_SECONDS = 60
SOURCE = Path(__file__).parents[1] / "src"


class ExampleSettings(ServiceSettings):
    """As a service without anything has them."""

    service_name: str = "example"


class Answers(BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.removeprefix("/")))
        self.end_headers()
        self.wfile.write(b"told")

    def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """A server that answers with the status that its path names."""
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Give back the handler that the entry point replaces."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def build(_settings: ExampleSettings) -> Service:
    """No command here builds a service."""
    raise AssertionError("built")


def call(*arguments: str, **more: Any) -> int:
    """Run a command in this process."""
    return run(arguments, name="example", settings=ExampleSettings, build=build, **more)


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize(("path", "status"), [("200", 0), ("204", 0), ("404", 1), ("503", 1), ("302", 1)])
def test_check_says_whether_a_url_answers_well(address: str, path: str, status: int) -> None:
    assert call("check", f"{address}/{path}") == status


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/readyz", "no url", "http://[", "ftp://127.0.0.1/"])
def test_check_fails_without_an_answer(url: str, free_port: int) -> None:
    assert call("check", url.format(port=free_port)) == 1


@pytest.mark.usefixtures("lines")
def test_a_service_adds_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def verify(settings: ExampleSettings) -> int:
        """Look for a broken link."""
        called.append(settings.service_name)
        return 3

    monkeypatch.setenv("SERVICE_NAME", "other")
    assert call("verify", commands={"verify": verify}) == 3
    assert called == ["other"]


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize("command", ["serve", "verify"])
def test_bad_settings_are_2_for_every_command(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("HTTP_PORT", "none")
    assert call(command, commands={"verify": lambda _settings: 0}) == 2


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize("arguments", [("unknown",), ("migrate",), ("check", "a", "b"), ("serve", "--port=1")])
def test_bad_arguments_are_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        call(*arguments)
    assert caught.value.code == 2
    assert "usage: python3 -m example" in capsys.readouterr().err


def test_the_help_names_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    def verify(_settings: ExampleSettings) -> int:
        """Look for a broken link.

        And more.
        """
        return 0

    with pytest.raises(SystemExit):
        call("--help", commands={"verify": verify}, migrations=Path("unused"))
    told = capsys.readouterr().out
    for name in ("serve", "migrate", "check", "verify", "Look for a broken link."):
        assert name in told
    assert "And more." not in told


@pytest.mark.usefixtures("lines")
def test_serving_is_what_is_done_without_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[bool] = []
    service = type("Built", (), {"app": None, "readiness": None})()
    monkeypatch.setattr(entrypoint, "serve", lambda *_given, websockets: served.append(websockets))
    for arguments, websockets in (((), False), (("serve",), True)):
        status = run(
            arguments, name="example", settings=ExampleSettings, build=lambda _: service, websockets=websockets
        )
        assert status == 0
    assert served == [False, True]


def module(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python3 -m servicekit` as an image does."""
    (tmp_path / "given.py").write_text("import sys\nprint(sys.argv[1:], __name__)\nsys.exit(7)\n")
    return subprocess.run(
        [sys.executable, "-m", "servicekit", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{SOURCE}{os.pathsep}{tmp_path}", **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


def test_an_image_runs_the_module_that_it_is_told(tmp_path: Path) -> None:
    done = module(tmp_path, "migrate", "now", SERVICE_MODULE="given")
    assert (done.returncode, done.stdout) == (7, "['migrate', 'now'] __main__\n")


def test_an_image_without_a_module_says_what_is_missing(tmp_path: Path) -> None:
    done = module(tmp_path)
    assert done.returncode == 1
    assert "SERVICE_MODULE is not set" in done.stderr


@pytest.mark.usefixtures("address")
def test_a_port_that_nobody_serves_is_told_in_a_line(lines: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert entrypoint._check(f"http://127.0.0.1:{port}/", entrypoint.structlog.stdlib.get_logger("x")) == 1
    (line,) = lines()
    assert (line["message"], line["level"]) == ("not ready", "ERROR")
    assert json.dumps(line).count("ConnectError") == 1
