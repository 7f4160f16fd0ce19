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
from sluice.toml_lines import line_of, syntax_line_and_column

FILE = "sluice.toml"
_PREFIX = "SLUICE_"

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClusterSettings(_Table):
    """The kind cluster that suites run on, and beside it the one that stands for a target."""

    name: Name = "sluice"
    registry_port: Annotated[int, Field(ge=1024, le=65_535)] = 5001
    target_registry_port: Annotated[int, Field(ge=1024, le=65_535)] = 5443
    api_address: Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,3}){3}$")] = "127.0.0.1"
    api_names: tuple[str, ...] = ()

    @property
    def target_name(self) -> str:
        """The name of the kind cluster that stands for a target."""
        return f"{self.name}-target"

    @property
    def engine_host(self) -> str:
        """The name of the host that the engine publishes ports on, where that is another than this one; else empty."""
        return self.api_names[0] if self.api_names else ""


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
    suites: Seconds = 2400
    evidence: Seconds = 120


class RunSettings(_Table):
    """How a run goes.

    `offline` is for an engine without a registry (docs/dagger.md). `disk_floor_gb` is the free space that a run asks
    for before it starts (GB of 10^9 bytes). `quiet_minutes` is how long the suite `alerts` looks whether a healthy
    cluster has no alert.
    """

    runtime: Literal["auto", "docker", "dagger"] = "auto"
    folder: str = ".sluice"
    cache: str = ""
    offline: str = ""
    disk_floor_gb: Annotated[float, Field(ge=0)] = 20.0
    suites: tuple[Name, ...] = ()
    quiet_minutes: Annotated[float, Field(ge=0.5, le=60)] = 1.0


class ReleaseSettings(_Table):
    """Where releases are kept, and the key that they are signed with.

    Without `repository` it is this host's own registry, which `credentials` (a Docker configuration) and `ca` (PEM) are
    not for; without `key` it is a key of this tree's own, in .sluice/keys.
    """

    repository: str = ""
    credentials: str = ""
    ca: str = ""
    key: str = ""
    password_file: str = ""


class EvidenceSettings(_Table):
    """How much a run keeps, in MB of 10^6 bytes; `failed_tests` is how many of them get a folder of their own."""

    max_mb: Annotated[float, Field(ge=5, le=10_000)] = 80.0
    max_file_mb: Annotated[float, Field(ge=0.1, le=1_000)] = 5.0
    failed_tests: Annotated[int, Field(ge=0, le=100)] = 10


class Settings(_Table):
    """Everything that can be set."""

    cluster: ClusterSettings = ClusterSettings()
    supply: SupplySettings = SupplySettings()
    namespaces: NamespaceSettings = NamespaceSettings()
    deadlines: DeadlineSettings = DeadlineSettings()
    run: RunSettings = RunSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    release: ReleaseSettings = ReleaseSettings()

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
    text, given = _read(path)
    variables = _from_environment(environment)
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in given.items()}
    for (table, key), (_, value) in variables.items():
        if isinstance(merged.setdefault(table, {}), dict):
            merged[table][key] = value
    mistakes = [f"{name}: no such setting" for name in _misspelt(environment)]
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
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
    if mistakes:
        raise SettingsError(
            "the settings cannot be used",
            mistakes,
            expected="the tables and keys that docs/settings.md lists",
            next_command=f"mend {FILE} or the environment, then run this again",
        )
    return settings


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except FileNotFoundError:
        return "", {}
    except tomllib.TOMLDecodeError as error:
        mistake = f"{FILE}:{syntax_line_and_column(text, error)[0]}: {error}"
    except (OSError, UnicodeDecodeError) as error:
        mistake = f"{FILE}: {error}"
    raise SettingsError(FILE, [mistake], expected="a text file in TOML 1.0", next_command=f"mend {FILE}")


def _from_environment(environment: Mapping[str, str]) -> dict[tuple[str, str], tuple[str, Any]]:
    """SLUICE_<TABLE>_<KEY> for every table and key that exists."""
    found: dict[tuple[str, str], tuple[str, Any]] = {}
    for table, keys in _tables().items():
        for key, annotation in keys.items():
            name = f"{_PREFIX}{table}_{key}".upper()
            if name in environment:
                value: Any = environment[name]
                if "tuple" in annotation:
                    value = tuple(part.strip() for part in value.split(",") if part.strip())
                found[table, key] = (name, value)
    return found


def _misspelt(environment: Mapping[str, str]) -> list[str]:
    """Variables that begin as those of a table do and name no key of it; others of our prefix are not settings."""
    known = {f"{_PREFIX}{table}_{key}".upper() for table, keys in _tables().items() for key in keys}
    prefixes = tuple(f"{_PREFIX}{table}_".upper() for table in _tables())
    return sorted(name for name in environment if name.startswith(prefixes) and name not in known)


def _tables() -> dict[str, dict[str, str]]:
    """The keys of each table, with their annotations as text."""
    tables = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {
        name: {key: str(field.annotation) for key, field in table.model_fields.items()}
        for name, table in tables.items()
        if isinstance(table, type) and issubclass(table, _Table)
    }
