"""The source tree: its revision, the services of services/*/service.toml, and the fixtures that these require."""

import hashlib
import subprocess
import tomllib
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice.domain import Fixture, Service, Source
from sluice.errors import SourceError
from sluice.toml_lines import line_of, syntax_line_and_column

FIXTURES = "k8s-fixtures"
EACH_SERVICE = "each-service.yaml"
# A library that services share; it is not delivered by itself.
SHARED = "servicekit"
# What the image builds of all services take besides (services/README.md).
BUILD_LOCK = "build-requirements.lock"
# What a service may bring itself, and services/ holds for all that do not.
OWN_OR_COMMON = ("Dockerfile", "requirements.lock")


class _ServiceFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")]
    description: str
    port: Annotated[int, Field(ge=1, le=65_535)]
    chart: str
    module: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]
    requires: tuple[str, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    service: _ServiceFile


async def resolve_source(root: Path) -> Source:
    """Return what the run starts from. Raises SourceError with every mistake of every service."""
    services, mistakes = [], []
    folders = sorted(
        p for p in (root / "services").glob("*/") if p.name != SHARED and not p.name.startswith((".", "_"))
    )
    for folder in folders:
        service, found = _read(root, folder)
        mistakes += found
        if service:
            services.append(service)
    named: dict[str, list[str]] = {}
    for service in services:
        named.setdefault(service.name, []).append(service.folder)
    mistakes += [f"{' and '.join(where)} are both named {name!r}" for name, where in named.items() if len(where) > 1]
    if not folders:
        mistakes.append("services: no service")
    elif not (root / "services" / SHARED).is_dir():
        mistakes.append(f"services: no {SHARED}, which every service is built with")
    if folders and not (root / "services" / BUILD_LOCK).is_file():
        mistakes.append(f"services: no {BUILD_LOCK}, which every service is built with")
    for name in OWN_OR_COMMON if folders else ():
        if not (root / "services" / name).is_file():
            mistakes.append(f"services: no {name}, which services without one of their own are built with")
    fixtures = []
    for name in sorted({name for service in services for name in service.requires}):
        fixture, found = fixture_of(root, name)
        mistakes += found
        if fixture:
            fixtures.append(fixture)
    if mistakes:
        raise SourceError(
            "the source tree",
            mistakes,
            expected="a whole service.toml in every folder, and beside the folders what all are built with",
            next_command="see services/README.md",
        )
    return Source(
        root=str(root),
        revision=_git(root, "rev-parse", "HEAD") or "unknown",
        # Where git tells nothing, nothing says that the tree is as committed.
        dirty=_git(root, "status", "--porcelain", "--untracked-files=normal") != "",
        digest=tree_digest(root / "services"),
        services=tuple(services),
        fixtures=tuple(fixtures),
    )


def fixture_of(root: Path, name: str) -> tuple[Fixture | None, list[str]]:
    """Return a fixture and its mistakes; that there is one is looked after where a service requires it."""
    folder = root / FIXTURES / name
    path = folder / "kustomization.yaml"
    if not path.is_file():
        return None, []
    shown = str(path.relative_to(root))
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        images = tuple(str(image["name"]) for image in given.get("images") or ())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return None, [f"{shown}: {' '.join(str(error).split())}"]
    except (AttributeError, KeyError, TypeError):
        return None, [f"{shown}: images: a list of `name: <component>` is expected"]
    return Fixture(name, images, (folder / EACH_SERVICE).is_file()), []


def _read(root: Path, folder: Path) -> tuple[Service | None, list[str]]:
    path = folder / "service.toml"
    shown = str(path.relative_to(root))
    if not path.is_file():
        return None, [f"{folder.relative_to(root)}: no service.toml"]
    missing: list[str] = []
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        found = _File.model_validate(tomllib.loads(text)).service
    except tomllib.TOMLDecodeError as error:
        return None, [f"{shown}:{syntax_line_and_column(text, error)[0]}: {error}"]
    except UnicodeDecodeError as error:
        return None, [f"{shown}: {error}"]
    except ValidationError as error:
        mistakes = [
            f"{shown}:{line_of(text, [p for p in e['loc'] if isinstance(p, str | int)]) or 1}: "
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}"
            for e in error.errors()
        ]
        return None, mistakes
    if not (root / found.chart / "Chart.yaml").is_file():
        line = line_of(text, ["service", "chart"])
        missing.append(f"{shown}:{line}: chart {found.chart!r} has no Chart.yaml")
    missing += [
        f"{shown}:{line_of(text, ['service', 'requires'])}: {FIXTURES}/{name} has no kustomization.yaml"
        for name in found.requires
        if not (root / FIXTURES / name / "kustomization.yaml").is_file()
    ]
    return Service(**found.model_dump(), folder=str(folder.relative_to(root))), missing


def own_or_common(root: Path, service: Service, name: str) -> Path:
    """Return the service's own file of a name in OWN_OR_COMMON, or the one that services share."""
    own = root / service.folder / name
    return own if own.is_file() else root / "services" / name


def tree_digest(folder: Path) -> str:
    """Return `sha256:…` over the names and contents below a folder, caches of tools left out."""
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not is_waste(file.relative_to(folder)):
            total.update(f"{file.relative_to(folder)}\0".encode())
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return f"sha256:{total.hexdigest()}"


def is_waste(path: Path) -> bool:
    """Return whether a file is a tool's leftover rather than source."""
    waste = {
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        "build",
        "dist",
        ".venv",
        ".coverage",
    }
    return any(part in waste or part.endswith(".egg-info") for part in path.parts)


def _git(root: Path, *args: str) -> str | None:
    """What git says, or None where there is no git, no repository, or one that git does not trust."""
    try:
        done = subprocess.run(["git", "-C", root, *args], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
