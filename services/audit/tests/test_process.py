"""The real program: `python3 -m servicekit` with SERVICE_MODULE=audit checks a chain and says so by its exit status."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from testkit.settings import files_of_secrets
from testkit.tokens import Keys

DEADLINE_SECONDS = 60.0
SERVICES = Path(__file__).parents[2]
SOURCES = (SERVICES / "servicekit" / "src", SERVICES / "audit" / "src")


def run(command: str, **values: object) -> tuple[int, list[dict[str, Any]]]:
    """Run the program to its end; return its status and what it printed, of which every line is JSON."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, SOURCES)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SERVICE_MODULE": "audit",
        **{name.upper(): str(value) for name, value in values.items()},
    }
    done = subprocess.run(
        [sys.executable, "-m", "servicekit", command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert not done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_verify_exits_with_0_1_or_2(tmp_path: Path, keys: Keys) -> None:
    path = tmp_path / "audit.db"
    values = files_of_secrets(tmp_path, keys) | {"database_url": f"sqlite+aiosqlite:///{path}"}
    status, log = run("verify", **values)
    assert (status, log[-1]["message"]) == (2, "the chain could not be checked"), "there is no chain yet"
    assert run("migrate", **values)[0] == 0
    status, log = run("verify", **values)
    assert (status, log[-1]["valid"], log[-1]["entries"]) == (0, True, 0)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE head SET sequence = 3")
        database.commit()
    status, log = run("verify", **values)
    assert (status, log[-1]["broken_at"], log[-1]["reason"]) == (1, 1, "the chain ends before its head, 3")
    assert [line["level"] for line in log[:-1]] == ["ERROR"]


def test_a_bad_anchor_is_a_bad_setting(tmp_path: Path, keys: Keys) -> None:
    values = files_of_secrets(tmp_path, keys) | {"database_url": "sqlite://"}
    status, (line,) = run("verify", **values, verify_anchor="the last one", anchor_seconds=0)
    assert (status, line["message"]) == (2, "bad settings")
    assert all(name in line["error"] for name in ("VERIFY_ANCHOR", "ANCHOR_SECONDS"))
