"""Service images built by this host's engine and pushed to the local registry."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from sluice.adapters.docker.engine import Engine
from sluice.adapters.docker.registry import OWNER_LABEL, LocalRegistry
from sluice.domain import Image
from sluice.errors import CommandFailed
from sluice.supply.cache import digest_of, key_of

_BUILD_SECONDS = 600
_PUSH_SECONDS = 300


class DockerBuilder:
    """Builds with `docker build`; what was built from the same content is not built again.

    `records` remembers content → digest, so that an unchanged service costs one question to the registry.
    """

    def __init__(
        self, engine: Engine, registry: LocalRegistry, records: Path, logs: Path, say: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._records = records
        self._logs = logs
        self._say = say

    async def build(self, name: str, context: Path, *, build_args: Mapping[str, str], repository: str) -> Image:
        """Build, push, and return the image by digest. Raises CommandFailed with the builder's last lines."""
        record = self._records / name / f"{key_of([digest_of(context), dict(build_args), repository])}.json"
        known = _read(record)
        if known and await self._registry.holds(repository, known.digest):
            return known
        log = self._logs / f"image-{name}.log"
        tag = f"{repository}:latest"
        arguments = [word for key, value in build_args.items() for word in ("--build-arg", f"{key}={value}")]
        await self._engine.docker(
            # Everything is in the context: a build that reached for the network would not be repeatable.
            "build",
            "--network",
            "none",
            "--label",
            f"{OWNER_LABEL}=sluice",
            *arguments,
            "--tag",
            tag,
            context,
            deadline_seconds=_BUILD_SECONDS,
            log=log,
            on_line=self._say,
            what=f"building the image of {name}",
        )
        pushed = await self._engine.docker("push", tag, deadline_seconds=_PUSH_SECONDS, log=log, what=f"pushing {name}")
        digest = re.search(r"digest: (sha256:[0-9a-f]{64})", pushed.stdout + pushed.tail)
        if digest is None:
            raise CommandFailed(
                f"pushing {name} gave no digest",
                status=0,
                seen=pushed.tail,
                expected="digest: sha256:…",
                next_command=f"read {log}",
            )
        size = await self._engine.docker("image", "inspect", "--format", "{{.Size}}", tag)
        image = Image(name, repository, digest[1], int(size.stdout.strip() or 0))
        _write(record, image)
        return image


def _read(record: Path) -> Image | None:
    try:
        return Image(**json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _write(record: Path, image: Image) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    temporary = record.with_suffix(".tmp")
    temporary.write_text(json.dumps(vars(image)))
    os.replace(temporary, record)
