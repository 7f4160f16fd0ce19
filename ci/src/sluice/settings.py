"""sluice.toml and the environment → Settings; all mistakes at once, each with its line.

Every key can also be given as SLUICE_<TABLE>_<KEY>, such as SLUICE_CLUSTER_NAME; the environment wins over the file.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice.errors import SettingsError
from sluice.toml_lines import line_of

FILE = "sluice.toml"
_PREFIX = "SLUICE_"

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClusterSettings(_Table):
    """The kind cluster that suites run on."""

    name: Name = "sluice"
    registry_port: Annotated[int, Field(ge=1024, le=65_535)] = 5001
    api_address: Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,3}){3}$")] = "127.0.0.1"
    api_names: tuple[str, ...] = ()


class SupplySettings(_Table):
    """How components are obtained; `parallel` is how many are built side by side."""

    mode: Literal["auto", "upstream", "source"] = "auto"
    parallel: Annotated[int, Field(ge=1, le=16)] = 2


class NamespaceSettings(_Table):
    """Where things are installed."""

    services: Name = "default"
    monitoring: Name = "monitoring"
    logging: Name = "logging"


class DeadlineSettings(_Table):
    """How long each step may take, in seconds."""

    supply: Seconds = 4500
    images: Seconds = 900
    cluster: Seconds = 420
    charts: Seconds = 240
    suites: Seconds = 600
    evidence: Seconds = 120


class RunSettings(_Table):
    """How a run goes. `disk_floor_gb` is the free space a run asks for before it starts (GB of 10^9 bytes)."""

    runtime: Literal["auto", "docker", "dagger"] = "auto"
    folder: str = ".sluice"
    cache: str = ""
    disk_floor_gb: Annotated[float, Field(ge=0)] = 20.0
    suites: tuple[Name, ...] = ()


class Settings(_Table):
    """Everything that can be set."""

    cluster: ClusterSettings = ClusterSettings()
    supply: SupplySettings = SupplySettings()
    namespaces: NamespaceSettings = NamespaceSettings()
    deadlines: DeadlineSettings = DeadlineSettings()
    run: RunSettings = RunSettings()

    @property
    def cache(self) -> Path:
        """The folder of the cache: [run] cache, else $XDG_CACHE_HOME/sluice, else ~/.cache/sluice."""
        if self.run.cache:
            return Path(self.run.cache).expanduser().absolute()
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        return Path(base) / "sluice"


def load_settings(root: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of a source tree.

    Raises SettingsError that names every mistake, with the line of sluice.toml or the variable it stands in.
    """
    environment = os.environ if environment is None else environment
    path = root / FILE
    text = path.read_text() if path.exists() else ""
    try:
        given: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(FILE, [str(error)], expected="TOML 1.0", next_command=f"mend {FILE}") from None
    variables = _from_environment(environment)
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in given.items()}
    for (table, key), (_, value) in variables.items():
        if isinstance(merged.setdefault(table, {}), dict):
            merged[table][key] = value
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        mistakes = []
        for mistake in error.errors():
            place = tuple(part for part in mistake["loc"] if isinstance(part, str | int))
            variable = variables.get((str(place[0]), str(place[1]))) if len(place) > 1 else None
            line = line_of(text, place)
            where = variable[0] if variable else f"{FILE}:{line}" if line else FILE
            seen = mistake["input"]
            shown = f", seen {seen!r}" if not isinstance(seen, dict) else ""
            name = ".".join(map(str, place))
            said = "no such setting" if mistake["type"] == "extra_forbidden" else mistake["msg"]
            mistakes.append(f"{where}: {name}: {said}{shown}")
        raise SettingsError(
            "the settings cannot be used", mistakes, expected="the tables and keys that docs/settings.md lists",
            next_command=f"mend {FILE} or the environment, then run this again",
        ) from None


def _from_environment(environment: Mapping[str, str]) -> dict[tuple[str, str], tuple[str, Any]]:
    """SLUICE_<TABLE>_<KEY> for every table and key that exists; other variables of that prefix are not settings."""
    found: dict[tuple[str, str], tuple[str, Any]] = {}
    for table, field in Settings.model_fields.items():
        assert isinstance(field.annotation, type)
        for key, inner in field.annotation.model_fields.items():  # type: ignore[attr-defined]
            name = f"{_PREFIX}{table}_{key}".upper()
            if name in environment:
                value: Any = environment[name]
                if "tuple" in str(inner.annotation):
                    value = tuple(part.strip() for part in value.split(",") if part.strip())
                found[table, key] = (name, value)
    return found
