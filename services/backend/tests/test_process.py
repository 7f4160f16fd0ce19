"""The real program: `python3 -m backend`, its exit statuses, its log, and how it stops."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from testkit.settings import files_of_secrets
from testkit.tokens import Keys

DEADLINE_SECONDS = 120
SERVICES = Path(__file__).parents[2]
KEYS = Keys()
# One client for all: making one reads the machine's certificates, which takes longer than a request.
HTTP = httpx.Client(trust_env=False, timeout=DEADLINE_SECONDS, limits=httpx.Limits(max_keepalive_connections=0))


def environment(database: Path, secrets: Path, **values: object) -> dict[str, str]:
    """Return the environment of a backend; nothing of the caller's but its PATH."""
    files = {name.upper(): str(path) for name, path in files_of_secrets(secrets, KEYS).items()}
    return files | {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(str(source) for source in sorted(SERVICES.glob("*/src"))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "DATABASE_URL": f"sqlite+aiosqlite:///{database}",
        **{name: str(value) for name, value in values.items()},
    }


def until(condition: Callable[[], bool], what: str) -> None:
    """Poll until the condition holds; fail at the deadline, naming what was awaited."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE_SECONDS} s"
        time.sleep(0.02)


def lines(output: str) -> list[dict[str, Any]]:
    """Read the log: every line has to be JSON."""
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def process(migrated_sqlite: Path, tmp_path: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """A running backend that answers."""
    database = Path(shutil.copy(migrated_sqlite, tmp_path))
    values = {
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": port,
        "FAULTS_ENABLED": "true",
        "SHUTDOWN_DRAIN_SECONDS": 0.6,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "backend"],
        env=environment(database, tmp_path, **values),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            until(lambda: process.poll() is not None or status(port, "/readyz") == 200, "the backend is ready")
            yield process
        finally:
            process.kill()


def status(port: int, path: str) -> int:
    """Return the status of a GET, 0 where nobody answers."""
    try:
        return HTTP.get(f"http://127.0.0.1:{port}{path}").status_code
    except httpx.TransportError:
        return 0


def slow_request(port: int) -> int:
    """Make a request that takes longer than the drain."""
    url = f"http://127.0.0.1:{port}/faults/delay"
    headers = KEYS.headers("ann") | {"X-Request-ID": "slow"}
    return HTTP.post(url, params={"seconds": 1.2}, headers=headers).status_code


def established(port: int) -> bool:
    """Say whether a client's connection to the port is open (state 01 in the kernel's table)."""
    table = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "01" for row in table)


def test_sigterm_lets_requests_finish_and_exits_with_0(process: subprocess.Popen[str], port: int) -> None:
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(slow_request, port)
        until(lambda: established(port), "the slow request is on its way")
        assert status(port, "/healthz") == 200
        provoked = KEYS.headers("ann") | {"X-Request-ID": "provoked"}
        assert HTTP.post(f"http://127.0.0.1:{port}/faults/error?marker=find-me", headers=provoked).status_code == 500
        process.send_signal(signal.SIGTERM)
        until(lambda: status(port, "/readyz") == 503, "readiness fails while the service still answers")
        assert status(port, "/healthz") == 200, "a draining service is alive"
        assert not slow.done()
        assert slow.result(DEADLINE_SECONDS) == 200
    output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0
    log = lines(output)
    served = [line for line in log if line["message"] == "request served"]
    found = [(line["request_id"], line["status"]) for line in served]
    assert found == [("provoked", 500), ("slow", 200)], "each request once, probes not at all"
    assert "draining" in [line["message"] for line in log]
    assert "stopped" in [line["message"] for line in log], "the pool was closed"
    (error,) = [line for line in log if line["level"] not in {"INFO", "WARNING"}]
    assert (error["level"], error["request_id"], error["user_id"]) == ("ERROR", "provoked", "ann")
    assert error["error"] == "ProvokedError: find-me"
    assert "find-me" in error["traceback"]


def run(*arguments: str, **values: object) -> tuple[int, list[dict[str, Any]]]:
    """Run the program to its end; return its status and its log."""
    with tempfile.TemporaryDirectory() as secrets:
        done = subprocess.run(
            [sys.executable, "-m", "backend", *arguments],
            env=environment(Path("unused.db"), Path(secrets), **values),
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
    assert not done.stderr
    return done.returncode, lines(done.stdout)


def test_bad_settings_exit_with_2_and_are_all_named() -> None:
    code, log = run("migrate", HTTP_PORT="http", DATABASE_URL="", DATABASE_HOST="db", FAULTS_ENABLED="perhaps")
    assert code == 2
    (line,) = log
    assert (line["level"], line["message"]) == ("ERROR", "bad settings")
    for name in ("HTTP_PORT", "FAULTS_ENABLED"):
        assert name in line["error"]


def test_a_database_that_never_comes_up_exits_with_1_and_the_last_cause(port: int) -> None:
    address = f"postgresql+asyncpg://ann@127.0.0.1:{port}/tasks"
    code, log = run("migrate", DATABASE_URL=address, MIGRATION_TIMEOUT_SECONDS=0.6)
    assert code == 1
    assert [line["message"] for line in log] == ["waiting for the database", "migration failed"]
    assert "not reachable within 0.6 s" in log[-1]["error"]
    assert "ConnectionRefusedError" in log[-1]["error"]


def test_migrate_brings_a_new_database_up(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/new.db"
    code, log = run("migrate", DATABASE_URL=url)
    assert (code, log[-1]["message"]) == (0, "database is at the newest revision")
    assert (tmp_path / "new.db").stat().st_size > 0


def test_a_taken_port_ends_with_an_error_line() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        # PostgreSQL's address: of SQLite's driver a cancelled call would keep the process from its end.
        away = "postgresql+asyncpg://ann@127.0.0.1:1/tasks"
        code, log = run(HTTP_HOST="127.0.0.1", HTTP_PORT=holder.getsockname()[1], DATABASE_URL=away)
    assert code != 0
    assert any(line["level"] == "ERROR" and "address already in use" in line["message"] for line in log)
