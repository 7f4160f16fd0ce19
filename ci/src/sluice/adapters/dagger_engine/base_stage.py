"""A base image from an archive as the first stage of a Dockerfile, for an engine that can pull none.

An engine builds `FROM name` by asking a registry for the name, unless a stage above is called so: then that is taken.
"""

import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

NAME = "sluice-base"
_FROM = re.compile(r"^\s*FROM\s", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """What containers of an image inherit, beside its files."""

    environment: tuple[str, ...] = ()
    folder: str = ""
    user: str = ""


def settings_of(archive: Path) -> Settings:
    """Read the settings of the one image in a `docker save` archive."""
    with tarfile.open(archive) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        file = tar.extractfile(json.load(manifest)[0]["Config"])
        assert file is not None
        given = json.load(file).get("config") or {}
    return Settings(tuple(given.get("Env") or ()), given.get("WorkingDir") or "", given.get("User") or "")


def with_base(dockerfile: str, files: str, settings: Settings) -> str:
    """Return the Dockerfile with a stage before its first one, made of `files`, a tar in the context.

    ADD unpacks the tar with its owners and modes, which COPY would not keep.
    """
    stage = [f"FROM scratch AS {NAME}", f"ADD {files} /"]
    for variable in settings.environment:
        name, _, value = variable.partition("=")
        quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
        stage.append(f'ENV {name}="{quoted}"')
    stage += [f"WORKDIR {settings.folder}"] if settings.folder not in ("", "/") else []
    stage += [f"USER {settings.user}"] if settings.user else []
    lines = dockerfile.splitlines()
    # ARGs above the first FROM are what FROM lines may name: they stay above.
    first = next((number for number, line in enumerate(lines) if _FROM.match(line)), len(lines))
    return "\n".join([*lines[:first], *stage, "", *lines[first:]]) + "\n"
