"""`python3 -m <service> [serve|migrate]`: the same two commands for every service."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeVar

import structlog

from servicekit.app import Service
from servicekit.logs import configure_logging
from servicekit.migrate import MigrationError, migrate
from servicekit.server import serve
from servicekit.settings import DatabaseSettings, ServiceSettings, SettingsError, load_settings

Settings = TypeVar("Settings", bound=ServiceSettings)

_FAILED = 1
_BAD_SETTINGS = 2


def run(
    arguments: Sequence[str],
    *,
    name: str,
    settings: type[Settings],
    build: Callable[[Settings], Service],
    migrations: Path | None = None,
) -> int:
    """Run one command and return the exit status: 0 done, 1 failed, 2 bad arguments or settings."""
    # As PID 1 of a container a process without a handler ignores SIGTERM; uvicorn sets its own later.
    signal.signal(signal.SIGTERM, _terminate)
    parser = argparse.ArgumentParser(prog=f"python3 -m {name}")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve HTTP (the default)")
    if migrations is not None:
        commands.add_parser("migrate", help="bring the database to the newest revision, then exit")
    command = parser.parse_args(arguments).command or "serve"

    configure_logging(name)
    log = structlog.stdlib.get_logger("servicekit.entrypoint")
    try:
        loaded = load_settings(settings)
    except SettingsError as error:
        log.error("bad settings", error=str(error))
        return _BAD_SETTINGS
    configure_logging(loaded.service_name, loaded.log_level)

    if command == "serve":
        service = build(loaded)
        serve(service.app, loaded, service.readiness)
        return 0
    assert isinstance(loaded, DatabaseSettings)
    assert migrations is not None
    try:
        asyncio.run(migrate(loaded, service=name, scripts=migrations))
    except MigrationError as error:
        log.error("migration failed", error=str(error))
        return _FAILED
    except Exception:
        log.exception("migration failed")
        return _FAILED
    return 0


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
