"""The real program: `python3 -m servicekit` with SERVICE_MODULE=recurring_task, from an empty database to its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from testkit.settings import files_of_secrets
from testkit.tokens import Keys

DEADLINE_SECONDS = 60.0
SERVICES = Path(__file__).parents[2]
SOURCES = (SERVICES / "servicekit" / "src", SERVICES / "recurring-task" / "src")


def start(*arguments: str, **values: object) -> subprocess.Popen[str]:
    """Start the program; nothing of the caller's environment but its PATH."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, SOURCES)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "SERVICE_MODULE": "recurring_task",
        **{name.upper(): str(value) for name, value in values.items()},
    }
    command = [sys.executable, "-m", "servicekit", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]]]:
    """Wait for the program's end; return its status and its log, of which every line is JSON."""
    output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    return process.returncode, [json.loads(line) for line in output.splitlines()]


def ready(port: int) -> bool:
    """Say whether it answers that it is ready."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_it_migrates_serves_and_stops(tmp_path: Path, keys: Keys) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    values = {
        **files_of_secrets(tmp_path, keys),
        "database_url": f"sqlite+aiosqlite:///{tmp_path}/new.db",
        "http_host": "127.0.0.1",
        "http_port": port,
        "shutdown_drain_seconds": 0,
    }
    assert ended(start("migrate", **values))[0] == 0
    with start(**values) as process:
        try:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while process.poll() is None and not ready(port):
                assert time.monotonic() < deadline, f"not ready within {DEADLINE_SECONDS} s"
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            status, log = ended(process)
        finally:
            process.kill()
    assert status == 0, log
    assert "stopped" in [line["message"] for line in log], "connections were closed"
    assert [line for line in log if line["level"] not in {"INFO", "DEBUG"}] == []


def test_bad_settings_are_all_named(tmp_path: Path, keys: Keys) -> None:
    values = files_of_secrets(tmp_path, keys) | {"database_url": "sqlite://"}
    bad = {"scheduler_pause_seconds": 0, "reminder_overdue_seconds": "a day"}
    status, (line,) = ended(start(**(values | bad)))
    assert (status, line["message"]) == (2, "bad settings")
    assert all(name.upper() in line["error"] for name in bad)
