"""sluice.toml and the environment → Settings; all mistakes at once, each with its line.

Every key can also be given as SLUICE_<TABLE>_<KEY>, such as SLUICE_CLUSTER_NAME; the environment wins over the file.
What a key means stands here and nowhere else: `./nox -s reference` makes docs/reference/settings.md of it.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from sluice.errors import SettingsError
from sluice.toml_lines import line_of, syntax_line_and_column

FILE = "sluice.toml"
_PREFIX = "SLUICE_"

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=1024, le=65_535)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClusterSettings(_Table):
    """The kind cluster that suites run on, and beside it the one that stands for a target."""

    name: Name = Field(
        default="sluice",
        description="name of the kind cluster; its registry is `<name>-registry`, the local target `<name>-target`",
    )
    registry_port: Port = Field(default=5001, description="where this host and the node reach the registry")
    target_registry_port: Port = Field(default=5443, description="where the local target's registry is reached")
    api_address: Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,3}){3}$")] = Field(
        default="127.0.0.1", description="where the API server listens"
    )
    api_names: tuple[str, ...] = Field(default=(), description="further names in the API server's certificate")

    @property
    def target_name(self) -> str:
        """The name of the kind cluster that stands for a target."""
        return f"{self.name}-target"

    @property
    def engine_host(self) -> str:
        """The name of the host that the engine publishes ports on, where that is another than this one; else empty."""
        return self.api_names[0] if self.api_names else ""


class SupplySettings(_Table):
    """How components are obtained."""

    mode: Literal["auto", "upstream", "source"] = Field(
        default="auto", description="where from; `auto` asks upstream, and builds from source what cannot be had"
    )
    parallel: Annotated[int, Field(ge=1, le=16)] = Field(default=2, description="components built side by side")


class NamespaceSettings(_Table):
    """Where things are installed."""

    services: Name = Field(default="default", description="services and fixtures")
    monitoring: Name = Field(default="monitoring", description="the chart `monitoring`")
    logging: Name = Field(default="logging", description="the chart `logging`")


class DeadlineSettings(_Table):
    """How long each step may take, in seconds."""

    supply: Seconds = Field(default=4500, description="obtaining components")
    images: Seconds = Field(default=900, description="building the services' images; making a release")
    cluster: Seconds = Field(default=420, description="raising the cluster")
    charts: Seconds = Field(default=240, description="installing a chart")
    suites: Seconds = Field(default=2400, description="running the suites")
    evidence: Seconds = Field(default=120, description="collecting the evidence")


class RunSettings(_Table):
    """How a run goes."""

    runtime: Literal["auto", "docker", "dagger"] = Field(
        default="auto", description="what runs containers; `auto` takes an engine of Dagger that is at hand"
    )
    folder: str = Field(default=".sluice", description="where runs are kept")
    cache: str = Field(default="", description="where components are kept; without it `~/.cache/sluice`")
    offline: str = Field(
        default="", description="folder that an engine of Dagger without a registry starts from (docs/dagger.md)"
    )
    disk_floor_gb: Annotated[float, Field(ge=0)] = Field(
        default=20.0,
        description="free space (GB of 10^9 bytes) without which a run does not begin; 5 at most on a kept cluster",
    )
    suites: tuple[Name, ...] = Field(default=(), description="suites to run; without it those that the policy requires")
    quiet_minutes: Annotated[float, Field(ge=0.5, le=60)] = Field(
        default=1.0,
        description="how long the suite `alerts` looks whether a healthy cluster has no alert: 5 before a release",
    )


class ReleaseSettings(_Table):
    """Where releases are kept, and who signs them: with a key, or without one as an identity (docs/promotion.md)."""

    repository: str = Field(
        default="", description="registry and path of releases and their images; without it this host's own registry"
    )
    credentials: str = Field(default="", description="file for it: a Docker configuration (`config.json`)")
    ca: str = Field(default="", description="file for it: certificates in PEM")
    key: str = Field(
        default="",
        description="private key of cosign, a file, its `.pub` beside it; without one a pair is made in `.sluice/keys`",
    )
    password_file: str = Field(default="", description="file with the key's password; without it `COSIGN_PASSWORD`")
    keyless: bool = Field(
        default=False, description="sign without a key, as the identity that a workflow's OIDC token tells"
    )
    issuer: str = Field(
        default="https://token.actions.githubusercontent.com", description="of a keyless signature: who gives the token"
    )
    subject: Annotated[str, Field(pattern=r"^[^\s*]*$")] = Field(
        default="",
        description="of a keyless signature: the name in its certificate; without it that of GitHub's workflow,"
        " `$GITHUB_SERVER_URL/$GITHUB_WORKFLOW_REF`",
    )
    signing_config: str = Field(
        default="", description="of a keyless signature, file: the services of another Sigstore than the public one"
    )
    trusted_root: str = Field(
        default="", description="of a keyless signature, file: Sigstore's keys; without it cosign fetches them"
    )

    @field_validator("keyless")
    @classmethod
    def _or_a_key(cls, keyless: bool, others: ValidationInfo) -> bool:
        if keyless and (others.data.get("key") or others.data.get("password_file")):
            raise PydanticCustomError("keyless", "there is a key already: it is the one or the other")
        return keyless


class EvidenceSettings(_Table):
    """How much a run keeps."""

    max_mb: Annotated[float, Field(ge=5, le=10_000)] = Field(
        default=80.0, description="MB (10^6 bytes) that a run's folder may have; what had to go is in its `cut.txt`"
    )
    max_file_mb: Annotated[float, Field(ge=0.1, le=1_000)] = Field(
        default=5.0, description="MB of one text file: of a longer one the end is kept"
    )
    failed_tests: Annotated[int, Field(ge=0, le=100)] = Field(
        default=10, description="failed tests that get a folder of their own below `failure/tests/`"
    )


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
            expected="the tables and keys that docs/reference/settings.md lists",
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
