"""Which files of Sluice's tree a project has a copy of."""

import fnmatch
import subprocess
from collections.abc import Iterator
from pathlib import Path

# Folders end in `/`; of the others `*` stands for any text. The rest of Sluice's tree is its own: the task app with its
# charts and suites, the tests of the pipeline itself, bench/.
COPIED = (
    ".ci/run",
    ".github/actions/",
    ".github/workflows/ci.yml",
    ".gitignore",
    "ci/",
    "dagger",
    "dagger.json",
    "docs/",
    "helm/.gitignore",
    "helm/README.md",
    "helm/lib/",
    "helm/logging/",
    "helm/monitoring/",
    "k8s-fixtures/",
    "nox",
    "noxfile.py",
    "pyproject.toml",
    "release/README.md",
    "requirements/",
    "services/Dockerfile",
    "services/README.md",
    "services/_testkit/",
    "services/build-requirements.in",
    "services/build-requirements.lock",
    "services/conftest.py",
    "services/pytest.ini",
    "services/requirements.in",
    "services/requirements.lock",
    "services/servicekit/src/",
    "targets/README.md",
    "targets/local.toml",
    "targets/values/local/",
    "tests/charts/__init__.py",
    "tests/charts/conftest.py",
    "tests/charts/policy.py",
    "tests/charts/rendering.py",
    "tests/charts/schemas.py",
    "tests/charts/test_policy.py",
    "tests/charts/test_schemas.py",
    "tests/e2e/conftest.py",
    "tests/e2e/kube.py",
    "tests/e2e/logs/test_collection.py",
    "tests/e2e/logs/writers.py",
    "tests/e2e/metrics/test_monitoring.py",
    "tests/e2e/renew_times.py",
    "tests/e2e/services/conftest.py",
    "tests/e2e/services/test_every_service.py",
    "tests/e2e/sockets.py",
    "tests/e2e/support.py",
    "tests/e2e/tables.py",
    "tests/e2e/times.json",
    "tests/e2e/users.py",
    "tests/e2e/values/logging.yaml",
    "tests/e2e/values/monitoring.yaml",
    "tests/rules/__init__.py",
    "tests/rules/catalog.py",
    "tests/rules/log_rules.py",
    "tests/rules/metrics.py",
    "tests/rules/panels.py",
    "tests/rules/promtool.py",
    "tests/rules/renew_metrics.py",
    "tests/rules/runbooks.py",
    "tests/rules/test_log_rules.py",
    "tests/rules/test_metrics.py",
    "tests/rules/test_policy_metrics.py",
    "tests/rules/test_rules.py",
    "tests/rules/test_runbooks.py",
    "tests/rules/test_slo.py",
)
LEFT_OUT = (
    "ci/src/sluice/adopting/template/",  # a project makes no projects
    "helm/monitoring/rules/slo-*.yaml",  # made of services' objectives
    "helm/monitoring/rules/tests/slo-*.yaml",
)
# Where there is no git (in the toolbox of an engine): what is no source.
_WASTE = (".git", ".env", ".sluice", "__pycache__", ".*_cache", ".hypothesis")


def files_of(root: Path) -> list[str]:
    """Return every file and link that git tracks or would add, by its path from `root`, sorted.

    Without git, all that is there but tools' leftovers.
    """
    words = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, capture_output=True, check=False)
    names = set(listed.stdout.decode().split("\0")) if listed.returncode == 0 else set(_walk(root))
    # Else it is deleted and not yet committed as such.
    return sorted(name for name in names - {""} if (root / name).is_symlink() or (root / name).is_file())


def parts(root: Path) -> list[str]:
    """Return the files of Sluice's tree that a project has a copy of, by their paths from `root`, sorted."""
    return [name for name in files_of(root) if _is_one(name, COPIED) and not _is_one(name, LEFT_OUT)]


def _is_one(name: str, patterns: tuple[str, ...]) -> bool:
    return any(
        name.startswith(pattern) if pattern.endswith("/") else fnmatch.fnmatchcase(name, pattern)
        for pattern in patterns
    )


def _walk(root: Path) -> Iterator[str]:
    for path in root.rglob("*"):
        name = path.relative_to(root)
        if not any(fnmatch.fnmatchcase(part, waste) for part in name.parts for waste in _WASTE):
            yield name.as_posix()
