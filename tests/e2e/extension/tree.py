"""A copy of the source tree with one service more, as whoever adds one would make it."""

import re
import shutil
from pathlib import Path

from sluice.adopting.parts import files_of
from sluice.adopting.templates import add_service

HELLO = "hello"


def copy_tree(root: Path, target: Path) -> None:
    """Copy every file that git tracks or would add, with its mode, and links as links."""
    for name in files_of(root):
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, copy, follow_symlinks=False)


def add_hello(root: Path) -> None:
    """Add the service and its chart: those that a project begins with (`./nox -s init`)."""
    add_service(root, HELLO)
    # Its objectives would be further rules of monitoring, which is installed and stays.
    (root / "services" / HELLO / "slo.yaml").unlink()


def require_only(root: Path, suite: str) -> None:
    """Have the policy ask for one suite: a run of that suite alone is judged by everything else as it is."""
    policy = root / "release" / "policy.toml"
    text, count = re.subn(
        r"(?m)^required_suites = \[[^\]]*\]", f'required_suites = ["{suite}"]', policy.read_text(encoding="utf-8")
    )
    assert count == 1, f"{policy} has {count} lines with required_suites"
    policy.write_text(text, encoding="utf-8")
