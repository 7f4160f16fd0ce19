"""`python3 -m <service> [serve|migrate|check]`: the same commands for every service, and those that it adds."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeVar

import httpx
import structlog

from servicekit.app import Service
from servicekit.logs import configure_logging
from servicekit.migrate import MigrationError, migrate
from servicekit.server import serve
from servicekit.settings import DatabaseSettings, ServiceSettings, SettingsError, load_settings

Settings = TypeVar("Settings", bound=ServiceSettings)

_FAILED = 1
_BAD_SETTINGS = 2
_CHECK_SECONDS = 10.0


def run(
    arguments: Sequence[str],
    *,
    name: str,
    settings: type[Settings],
    build: Callable[[Settings], Service],
    migrations: Path | None = None,
    websockets: bool = False,
    commands: Mapping[str, Callable[[Settings], int]] | None = None,
) -> int:
    """Run one command and return the exit status: 0 done, 1 failed, 2 bad arguments or settings.

    `commands` are the service's own, by name; the first line of each one's docstring is its help.
    """
    own = commands or {}
    # As PID 1 of a container a process without a handler ignores SIGTERM; uvicorn sets its own later.
    signal.signal(signal.SIGTERM, _terminate)
    parser = argparse.ArgumentParser(prog=f"python3 -m {name}")
    known = parser.add_subparsers(dest="command")
    known.add_parser("serve", help="serve HTTP (the default)")
    if migrations is not None:
        known.add_parser("migrate", help="bring the database to the newest revision, then exit")
    checking = known.add_parser("check", help="ask a service whether it is ready, and exit 0 if it says so")
    checking.add_argument("url", nargs="?", default="http://127.0.0.1:8000/readyz")
    for own_name, call in own.items():
        known.add_parser(own_name, help=(call.__doc__ or own_name).splitlines()[0])
    given = parser.parse_args(arguments)
    command = given.command or "serve"

    configure_logging(name)
    log = structlog.stdlib.get_logger("servicekit.entrypoint")
    if command == "check":
        return _check(given.url, log)
    try:
        loaded = load_settings(settings)
    except SettingsError as error:
        log.error("bad settings", error=str(error))
        return _BAD_SETTINGS
    configure_logging(loaded.service_name, loaded.log_level)

    if command == "serve":
        service = build(loaded)
        serve(service.app, loaded, service.readiness, websockets=websockets)
        return 0
    if command in own:
        return own[command](loaded)
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


def _check(url: str, log: structlog.stdlib.BoundLogger) -> int:
    try:
        response = httpx.get(url, timeout=_CHECK_SECONDS, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.error("not ready", url=url, error=f"{type(error).__name__}: {error}")
        return _FAILED
    write = log.info if response.is_success else log.error
    write(
        "ready" if response.is_success else "not ready", url=url, status=response.status_code, body=response.text[:500]
    )
    return 0 if response.is_success else _FAILED


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
