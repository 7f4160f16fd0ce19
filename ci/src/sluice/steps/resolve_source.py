"""The source tree: its revision, and the services that stand in services/*/service.toml."""

import hashlib
import subprocess
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice.domain import Service, Source
from sluice.errors import SourceError
from sluice.toml_lines import line_of, syntax_line_and_column

# A library that services share; it is not delivered by itself.
SHARED = "servicekit"
# What the image builds of all services take besides (services/README.md).
BUILD_LOCK = "build-requirements.lock"


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
    if mistakes:
        raise SourceError(
            "the source tree",
            mistakes,
            expected="a whole service.toml, Dockerfile and requirements.lock in every folder",
            next_command="see services/README.md",
        )
    return Source(
        root=str(root),
        revision=_git(root, "rev-parse", "HEAD") or "unknown",
        # Where git tells nothing, nothing says that the tree is as committed.
        dirty=_git(root, "status", "--porcelain", "--untracked-files=normal") != "",
        digest=tree_digest(root / "services"),
        services=tuple(services),
    )


def _read(root: Path, folder: Path) -> tuple[Service | None, list[str]]:
    path = folder / "service.toml"
    shown = str(path.relative_to(root))
    missing = [
        f"{folder.relative_to(root)}: no {name}"
        for name in ("service.toml", "Dockerfile", "requirements.lock")
        if not (folder / name).is_file()
    ]
    if not path.is_file():
        return None, missing
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        found = _File.model_validate(tomllib.loads(text)).service
    except tomllib.TOMLDecodeError as error:
        return None, [*missing, f"{shown}:{syntax_line_and_column(text, error)[0]}: {error}"]
    except UnicodeDecodeError as error:
        return None, [*missing, f"{shown}: {error}"]
    except ValidationError as error:
        mistakes = [
            f"{shown}:{line_of(text, [p for p in e['loc'] if isinstance(p, str | int)]) or 1}: "
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}"
            for e in error.errors()
        ]
        return None, [*missing, *mistakes]
    if not (root / found.chart / "Chart.yaml").is_file():
        line = line_of(text, ["service", "chart"])
        missing.append(f"{shown}:{line}: chart {found.chart!r} has no Chart.yaml")
    missing += [
        f"{shown}:{line_of(text, ['service', 'requires'])}: k8s-fixtures/{name} has no kustomization.yaml"
        for name in found.requires
        if not (root / "k8s-fixtures" / name / "kustomization.yaml").is_file()
    ]
    return Service(**found.model_dump(), folder=str(folder.relative_to(root))), missing


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
