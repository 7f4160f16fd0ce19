"""What has a newer version: Python packages of our own lock, and the Go modules that components are built from.

pip and go are asked, by the registries that they are set up with; nothing is changed.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.adapters.process import run
from sluice.errors import SluiceError, in_a_line
from sluice.supply import families, go

_GOMOD = Path(__file__).parent / "gomod"
_SECONDS = 300
_TOOLS = re.compile(r"^tool \(\n(.*?)^\)|^tool (\S+)$", re.MULTILINE | re.DOTALL)
_FORM = "{{.Path}} {{.Version}} {{with .Update}}{{.Version}}{{end}}"
# What a registry says goes into a page: only what can be a name or a version does.
_PLAIN = re.compile(r"[\w./+~:@!-]{1,200}")
_LOCK = "requirements/sluice.txt"
_LOCKED = re.compile(r"^([\w.-]+)==", re.MULTILINE)


@dataclass(frozen=True)
class Newer:
    """A package of a lock (`where`), the version that the lock has, and the newest that its registry offers."""

    where: str
    name: str
    has: str
    newest: str


async def report(root: Path, cache_root: Path) -> str:
    """Return a table of Markdown, and below it what could not be asked, with the cause."""
    found: list[Newer] = []
    unknown: dict[str, str] = {}
    try:
        found += await _python((root / _LOCK).read_text(encoding="utf-8"))
    except SluiceError as error:
        unknown[_LOCK] = in_a_line(error)
    for file in sorted(_GOMOD.glob("*/go.mod")):
        try:
            found += await _module(file, cache_root)
        except SluiceError as error:
            unknown[f"gomod/{file.parent.name}"] = in_a_line(error)
    return table(found, unknown)


def table(found: Sequence[Newer], unknown: Mapping[str, str]) -> str:
    """The page: a row a package, then what is unknown, for that is not the same as up to date."""
    lines = [f"## {len(found)} outdated", "", "| lock | package | has | newest |", "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(map(_plain, (one.where, one.name, one.has, one.newest)))} |" for one in found]
    if unknown:
        lines += ["", "Could not be asked:", ""]
        lines += [f"- {_plain(where)}: `{_cause(cause)}`" for where, cause in unknown.items()]
    return "\n".join(lines) + "\n"


def built_from(go_mod: str) -> list[str]:
    """Return the modules whose programs a go.mod names as its tools: what the catalog's components are."""
    tools = [word for block, one in _TOOLS.findall(go_mod) for word in (block or one).split()]
    required = families.requirements(go_mod)
    homes = (max((one for one in required if f"{tool}/".startswith(f"{one}/")), key=len, default="") for tool in tools)
    return sorted({home for home in homes if home})


def newer_modules(where: str, listed: str) -> list[Newer]:
    """Read the lines of `go list -m -u` that name an update."""
    words = (line.split() for line in listed.splitlines())
    return [Newer(where, *line) for line in words if len(line) == 3]


async def _python(lock: str) -> list[Newer]:
    """What pip says of the environment that is at work, without what came with Python and is in no lock."""
    asked = [sys.executable, "-m", "pip", "list", "--outdated", "--format", "json", "--disable-pip-version-check"]
    done = await run(asked, deadline_seconds=_SECONDS, what="asking pip for newer packages")
    locked = {_canonical(name) for name in _LOCKED.findall(lock)}
    return [
        Newer(_LOCK, one["name"], one["version"], one["latest_version"])
        for one in json.loads(done.stdout)
        if _canonical(one["name"]) in locked
    ]


def _canonical(name: str) -> str:
    """A name as all its spellings have it (packaging.python.org, Names and normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


async def _module(file: Path, cache_root: Path) -> list[Newer]:
    modules = built_from(file.read_text())
    if not modules:
        return []
    where = f"gomod/{file.parent.name}"
    done = await run(
        ["go", "list", "-m", "-u", "-f", _FORM, *modules],
        cwd=file.parent,
        env=go.environment(cache_root),
        deadline_seconds=_SECONDS,
        what=f"asking go for newer modules of {where}",
    )
    return newer_modules(where, done.stdout)


def _plain(text: str) -> str:
    return f"`{text}`" if _PLAIN.fullmatch(text) else "`?`"


def _cause(text: str) -> str:
    return " ".join(text.replace("`", "").split())[:300]
