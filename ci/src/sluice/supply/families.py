"""Modules that share their versions: `gomod/families.toml` names them, and this names those that have drifted apart."""

import re
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

_GOMOD = Path(__file__).parent / "gomod"
# Lines of a go.mod (https://go.dev/ref/mod#go-mod-file), in a block or alone.
_REQUIRED = re.compile(r"^\s*(?:require )?(?P<path>[^\s/]+\.[^\s/]+\S*) (?P<version>v\S+)", re.MULTILINE)
_REPLACED = re.compile(r"^\s*(?:replace )?(?P<path>\S+)(?: v\S+)? => ", re.MULTILINE)


def requirements(text: str) -> dict[str, str]:
    """Return the versions that a go.mod requires, by path, without those that it replaces anyway."""
    replaced = {found["path"] for found in _REPLACED.finditer(text)}
    lines = "\n".join(line for line in text.splitlines() if "=>" not in line)
    return {found["path"]: found["version"] for found in _REQUIRED.finditer(lines) if found["path"] not in replaced}


def family_of(module: str, gomod: Path = _GOMOD) -> str:
    """Return the family that a module belongs to, or the module's own name where it belongs to none."""
    families = _families(gomod)
    return next((family for family, members in families.items() if module in members["modules"]), module)


def disagreements(gomod: Path = _GOMOD) -> list[str]:
    """Return a line for each library that modules of one family want in several versions, with the cure; sorted."""
    found = []
    for family, members in _families(gomod).items():
        wanted: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for module in members["modules"]:
            text = (gomod / module / "go.mod").read_text(encoding="utf-8")
            for path, version in requirements(text).items():
                if not members["apart"] or not re.search(members["apart"], path):
                    wanted[path][version].append(module)
        for path, versions in wanted.items():
            if len(versions) > 1:
                told = "; ".join(f"{version} in {', '.join(modules)}" for version, modules in sorted(versions.items()))
                found.append(f"{family}: {path} is {told}: go get {path}@<the newest of them> where it is older")
    return sorted(found)


@cache
def _families(gomod: Path) -> dict[str, Any]:
    return tomllib.loads((gomod / "families.toml").read_text(encoding="utf-8"))
