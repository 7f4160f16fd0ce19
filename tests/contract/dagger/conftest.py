"""A real Dagger engine, through ./dagger as a user calls it; where none answers these tests skip themselves, aloud."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.adapters.dagger_engine import presence

ROOT = Path(__file__).parents[3]
CALL_SECONDS = 1800  # the first one builds the toolbox

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def call(tmp_path_factory: pytest.TempPathFactory) -> Call:
    """Run ./dagger in a tree; what it says is plain lines."""
    if not presence.reachable():
        pytest.skip(
            f"no Dagger engine is named: {presence.RUNNER}=unix:///… and dagger on PATH; "
            "SLUICE_OFFLINE=.sluice/offline in .env for one that reaches no registry (docs/dagger.md)"
        )

    def run(*words: str, tree: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["./dagger", "--progress", "plain", *words],
            cwd=tree, capture_output=True, text=True, timeout=CALL_SECONDS, check=False,
            env={**os.environ, "NO_COLOR": "1", "DO_NOT_TRACK": "1"},
        )  # fmt: skip

    return run


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the tree, as large as the functions see it, in which a service may be changed."""
    copy = tmp_path / "tree"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".sluice", "__pycache__", ".*_cache"))
    if (ROOT / ".sluice" / "offline").is_dir():
        shutil.copytree(
            ROOT / ".sluice" / "offline", copy / ".sluice" / "offline", symlinks=True, copy_function=os.link
        )
    subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)  # a module's tree ends at a repository
    return copy
