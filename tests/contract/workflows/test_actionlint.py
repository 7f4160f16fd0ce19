"""The real actionlint on our workflows, and on workflows with a mistake planted in each."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.contract.programs import program

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what GitHub reads; actionlint looks for the repository that files are in."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    (tmp_path / ".git").mkdir()
    return tmp_path


def checked(tree: Path) -> subprocess.CompletedProcess[str]:
    """actionlint's answer; what else it would run depends on the host, so it runs nothing."""
    words = [str(program("actionlint")), "-no-color", "-shellcheck=", "-pyflakes="]
    return subprocess.run(words, cwd=tree, capture_output=True, text=True, check=False, timeout=60)


def test_ours_have_no_mistake(tree: Path) -> None:
    found = checked(tree)
    assert (found.returncode, found.stdout) == (0, ""), found.stderr


@pytest.mark.parametrize(
    ("file", "right", "wrong", "told"),
    [
        ("ci.yml", "steps.report.outputs", "steps.reports.outputs", '"reports" is not defined'),
        ("ci.yml", "needs: [tests, e2e]", "needs: [tests, e3e]", "needs job"),
        ("ci.yml", "cache: tests", "caches: tests", 'missing input "cache"'),
        ("ci.yml", "pull-requests: write", "pull-request: write", "unknown permission scope"),
        ("release.yml", "      target: staging\n", "", '"target" is required'),
        ("release.yml", "needs.release.outputs.id", "needs.release.outputs.ids", '"ids" is not defined'),
        ("promote.yml", "${{ inputs.release }}", "${{ inputs.releases }}", '"releases" is not defined'),
        ("nightly.yml", '"17 1 * * *"', '"17 25 * * *"', "invalid CRON"),
    ],
)
def test_a_mistake_is_found(tree: Path, file: str, right: str, wrong: str, told: str) -> None:
    path = tree / ".github" / "workflows" / file
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    found = checked(tree)
    assert found.returncode == 1
    assert told in found.stdout
