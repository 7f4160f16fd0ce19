"""Runs promtool, for the tests."""

import os
import subprocess
from pathlib import Path

import pytest


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool to its end; without one the test fails with the cure."""
    folder = os.environ.get("SLUICE_BIN", "")
    program = Path(folder) / "promtool"
    if not folder or not program.exists():
        pytest.fail(f"promtool is not in SLUICE_BIN ({folder!r}); run ./nox -s tests, which builds it and sets that")
    command = [str(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def output_of(*arguments: str) -> str:
    """What promtool prints; raises AssertionError with its words where it refuses."""
    result = promtool(*arguments)
    assert result.returncode == 0, result.stderr or result.stdout
    return result.stdout
