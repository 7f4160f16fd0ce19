"""helm with the charts' dependencies built, and the schemas, each made once."""

import shutil
from pathlib import Path

import pytest

from .rendering import CHARTS, REPOSITORY, Helm, required, run, tool
from .schemas import Schemas


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Charts are copied first: a test writes nothing into the source tree."""
    charts: Path = tmp_path_factory.mktemp("charts") / "helm"
    # Symlinks stay what they are: helm has to follow them, as it has to in the tree.
    shutil.copytree(REPOSITORY / "helm", charts, symlinks=True, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"):
            patch.setenv(variable, str(charts.parent / variable.lower()))
        for chart in CHARTS:
            result = run(tool("helm"), "dependency", "build", charts / chart)
            assert result.returncode == 0, f"helm dependency build {chart}:\n{result.stderr}"
    return Helm(tool("helm"), charts)


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    """Kubernetes' schemas and those of the operator's custom resources."""
    return Schemas.load(required("SLUICE_KUBERNETES_OPENAPI"), required("SLUICE_CRDS"))
