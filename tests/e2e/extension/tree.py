"""A copy of the source tree with one service more, as whoever adds one would make it."""

import re
import shutil
import subprocess
from pathlib import Path

import yaml

HELLO = Path(__file__).with_name("hello")
# What hello does without; a chart's values hold what differs and nothing else (helm/README.md).
VALUES = {"database": {"enabled": False}, "dapr": {"enabled": False}, "autoscaling": {"enabled": False}}
# Where there is no git (in the toolbox of an engine): what is no source.
LEFT_OUT = shutil.ignore_patterns(".git", ".sluice", "__pycache__", ".*_cache", ".hypothesis")


def copy_tree(root: Path, target: Path) -> None:
    """Copy every file that git tracks or would add, with its mode, and links as links."""
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        shutil.copytree(root, target, symlinks=True, ignore=LEFT_OUT)
        return
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, copy = root / name, target / name
        if source.is_symlink() or source.is_file():  # else it is deleted and not yet committed as such
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)


def add_hello(root: Path, like: str) -> None:
    """Add the service, and its chart after helm/README.md: another service's, with name and values changed."""
    shutil.copytree(HELLO, root / "services" / "hello", ignore=LEFT_OUT)
    chart = root / "helm" / "hello"
    shutil.copytree(root / "helm" / like, chart, symlinks=True, ignore=shutil.ignore_patterns("charts"))
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    about |= {"name": "hello", "description": "Greets whoever asks"}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about, sort_keys=False), encoding="utf-8")
    (chart / "values.yaml").write_text(yaml.safe_dump(VALUES), encoding="utf-8")


def require_only(root: Path, suite: str) -> None:
    """Have the policy ask for one suite: a run of that suite alone is judged by everything else as it is."""
    policy = root / "release" / "policy.toml"
    text, count = re.subn(
        r"(?m)^required_suites = \[[^\]]*\]", f'required_suites = ["{suite}"]', policy.read_text(encoding="utf-8")
    )
    assert count == 1, f"{policy} has {count} lines with required_suites"
    policy.write_text(text, encoding="utf-8")
