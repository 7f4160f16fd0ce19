"""What a chart is given on a target: which file wins, and how maps are merged."""

from pathlib import Path

import pytest

from sluice.errors import TargetError
from sluice.promotion.chart_values import charts_of, files_for, merged, values_for
from sluice.promotion.model import ClusterAccess, Registry, Target

TARGET = Target(
    schema="sluice.target/v1",
    cloud="oke",
    registry=Registry("fra.ocir.io/acme/sluice", pull_secrets=("own",)),
    cluster=ClusterAccess(context="acme"),
    values={"services": ("all.yaml",), "backend": ("backend.yaml",)},
)
FILES = {
    "helm/lib/Chart.yaml": "{name: lib, type: library}",
    "helm/lib/values.yaml": "{exports: {defaults: {a: lib, b: lib, c: lib, d: lib, e: {x: lib, y: lib, z: lib}}}}",
    "helm/backend/Chart.yaml": "{name: backend, dependencies: [{name: lib, import-values: [defaults]}]}",
    "helm/backend/values.yaml": "{b: chart, c: chart, d: chart}",
    "helm/backend/values-oke.yaml": "{c: cloud, d: cloud, imagePullSecrets: [ocir], f: cloud}",
    "helm/backend/values-gke.yaml": "{c: other cloud}",
    "helm/monitoring/Chart.yaml": "{name: monitoring, dependencies: [{name: lib}]}",
    "helm/monitoring/values.yaml": "# none",
    "all.yaml": "{d: all, e: {x: all, y: all}, g: all}",
    "backend.yaml": "{e: {x: own, z: null}, f: null}",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_later_one_wins_and_the_target_has_the_last_word(tree: Path) -> None:
    assert values_for(tree, TARGET, "backend") == {
        "a": "lib",
        "b": "chart",
        "c": "cloud",
        "d": "all",
        "e": {"x": "own", "y": "all"},
        "g": "all",
        "imagePullSecrets": ["own"],
    }


def test_a_platforms_chart_takes_nothing_of_the_services(tree: Path) -> None:
    assert values_for(tree, TARGET, "monitoring") == {"imagePullSecrets": ["own"]}
    assert files_for(tree / "helm" / "monitoring", tree, TARGET, "monitoring") == ()
    assert [path.name for path in files_for(tree / "helm" / "backend", tree, TARGET, "backend")] == [
        "values-oke.yaml",
        "all.yaml",
        "backend.yaml",
    ]


def test_a_library_is_not_installed(tree: Path) -> None:
    assert charts_of(tree) == ("monitoring", "backend")


def test_merging_changes_neither() -> None:
    under, over = {"a": {"b": 1}, "c": [1, 2]}, {"a": {"d": 2}, "c": [3]}
    assert merged(under, over) == {"a": {"b": 1, "d": 2}, "c": [3]}
    assert (under, over) == ({"a": {"b": 1}, "c": [1, 2]}, {"a": {"d": 2}, "c": [3]})


@pytest.mark.parametrize(("text", "seen"), [("- a", "a list"), ("a: [", "while parsing"), (None, "No such file")])
def test_a_file_that_holds_no_values_is_told(tree: Path, text: str | None, seen: str) -> None:
    (tree / "all.yaml").unlink()
    if text:
        (tree / "all.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(TargetError, match=r"all\.yaml") as caught:
        values_for(tree, TARGET, "backend")
    assert seen in str(caught.value)
