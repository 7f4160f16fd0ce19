"""A sixth service's chart is a copy of another one with its own name: nothing has to be written twice."""

import shutil
from pathlib import Path

import pytest
import yaml

from .policy import broken, workloads
from .rendering import CLOUDS, DIGEST, REPOSITORY, Helm, documents, run
from .test_network import unguarded

IMAGES = ",".join(f"{path}.repository=registry/x,{path}.digest={DIGEST}" for path in ("image", "dapr.image"))


@pytest.mark.parametrize("symlinks", [True, False])
def test_a_copied_chart_with_its_own_name_is_a_services_chart(helm: Helm, tmp_path: Path, symlinks: bool) -> None:
    shutil.copytree(REPOSITORY / "helm" / "lib", tmp_path / "lib")
    chart = tmp_path / "sixth-one"
    shutil.copytree(REPOSITORY / "helm" / "audit", chart, symlinks=symlinks, ignore=shutil.ignore_patterns("charts"))
    file = chart / "Chart.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("name: audit", "name: sixth-one"), encoding="utf-8")
    done = run(helm.program, "dependency", "build", chart)
    assert done.returncode == 0, done.stderr
    for profile in ("", *CLOUDS):
        values = ["--values", str(chart / f"values-{profile}.yaml")] if profile else []
        done = run(helm.program, "template", "sixth-one", chart, "--set-string", IMAGES, *values)
        assert done.returncode == 0, done.stderr
        assert "audit" not in done.stdout
        manifests = documents(done.stdout)
        assert [found for workload in workloads(manifests) for found in broken(workload)] == []
        assert list(unguarded(manifests)) == []
    misspelt = run(helm.program, "template", "sixth-one", chart, "--set-string", IMAGES, "--set", "port.x=1")
    assert misspelt.returncode != 0


def test_a_services_chart_is_a_handful_of_small_files() -> None:
    """What a sixth service has to bring: Chart.yaml, values.yaml and one line of template; the rest are links."""
    folder = REPOSITORY / "helm" / "audit"
    files = [path for path in folder.rglob("*") if path.is_file() and "charts" not in path.relative_to(folder).parts]
    own = sorted(str(path.relative_to(folder)) for path in files if not path.is_symlink() and path.name != "Chart.lock")
    assert own == ["Chart.yaml", "templates/all.yaml", "values.yaml"]
    (library,) = yaml.safe_load((folder / "Chart.yaml").read_text(encoding="utf-8"))["dependencies"]
    assert library["import-values"] == ["defaults"]
