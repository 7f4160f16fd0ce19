"""The services that there are, as their folders tell: tests of all of them name none."""

from __future__ import annotations

import importlib
import tomllib
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servicekit.app import Service
from servicekit.settings import ServiceSettings

SERVICES = Path(__file__).parents[2]
FOLDERS = sorted(path.parent.name for path in SERVICES.glob("*/service.toml"))


@dataclass(frozen=True)
class Found:
    """A service, as its folder tells."""

    name: str
    module: str
    build: Callable[..., Service]
    settings: type[Any]
    migrations: Path


def find(folder: str) -> Found:
    """Load a service; its settings are what `build` takes."""
    table = tomllib.loads((SERVICES / folder / "service.toml").read_text())["service"]
    module = importlib.import_module(f"{table['module']}.service")
    settings = typing.get_type_hints(module.build)["settings"]
    assert issubclass(settings, ServiceSettings)
    migrations = Path(str(importlib.import_module(table["module"]).__file__)).parent / "migrations"
    return Found(table["name"], table["module"], module.build, settings, migrations)
