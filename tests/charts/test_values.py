"""What helm must refuse, with words that help; and what the values files may hold."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.steps.install_region import REGION_VALUES

from .rendering import (
    CHARTS,
    CLOUDS,
    DIGEST,
    REPOSITORY,
    SERVICE_CHARTS,
    Helm,
    chart_values,
    library_defaults,
    of_kind,
    read_values,
    run,
)

# Maps whose keys the user chooses.
# Images that a chart looks at only where these are given.
OPTIONAL = {"images.grafana": ("--set", "grafana.enabled=true"), "images.alloy": ("--set", "collector=alloy")}
FREE_KEYS = {"environment", "externalLabels", "ingress", "egress", "peer", "receivers", "teams"}


def profile_values(chart: str, profile: str) -> dict[str, Any]:
    return read_values(REPOSITORY / "helm" / chart / f"values-{profile}.yaml")


def leaves(value: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from leaves(inner, (*path, key))
        else:
            yield (*path, key), inner


def image_paths() -> list[tuple[str, str]]:
    """Each image of each chart, as (chart, its place in the values)."""
    found: list[tuple[str, str]] = []
    for chart in CHARTS:
        images = chart_values(chart).get("images")
        found += [(chart, f"images.{name}") for name in images or ()]
        found += [] if images else [(chart, "image"), (chart, "dapr.image")]
    return found


@pytest.mark.parametrize("chart", CHARTS)
def test_a_misspelt_value_is_refused_by_name(helm: Helm, chart: str) -> None:
    """At the top and in every map of the values; helm tells all mistakes at once."""
    maps = [key for key, value in chart_values(chart).items() if isinstance(value, dict)]
    assert len(maps) >= 3
    places = {"": "misspelt", **{f"/{key}": f"{key}.misspelt" for key in maps}}
    words = [word for path in places.values() for word in ("--set", f"{path}=1")]
    result = helm.try_template(chart, "local", *words)
    assert result.returncode != 0
    for place in places:
        assert f"at '{place}': additional properties 'misspelt' not allowed" in result.stderr


def test_what_the_library_exports_is_held_to_the_schema_too(helm: Helm, tmp_path: Path) -> None:
    """The schema sees the values as they are merged: neither a default nor what takes one away gets around it."""
    charts = tmp_path / "helm"
    shutil.copytree(helm.charts, charts, symlinks=True, ignore=shutil.ignore_patterns("charts"))
    defaults = charts / "lib" / "values.yaml"
    defaults.write_text(defaults.read_text(encoding="utf-8").replace("startupSeconds:", "startUpSeconds:"))
    assert run(helm.program, "dependency", "build", charts / "backend").returncode == 0
    result = Helm(helm.program, charts).try_template("backend", "local")
    assert result.returncode != 0
    assert "'startUpSeconds' not allowed" in result.stderr
    result = helm.try_template("backend", "local", "--set", "autoscaling=null")
    assert "missing property 'autoscaling'" in result.stderr


@pytest.mark.parametrize("key", ["repository", "digest"])
@pytest.mark.parametrize(("chart", "path"), image_paths())
def test_an_image_without_digest_is_refused_with_the_cure(helm: Helm, chart: str, path: str, key: str) -> None:
    result = helm.try_template(chart, "local", *OPTIONAL.get(path, ()), "--set", f"{path}.{key}=")
    assert result.returncode != 0
    assert f"the chart {chart} names no {key} for the image of" in result.stderr
    assert f'found:    {path}.{key} = ""' in result.stderr
    assert "expected: " in result.stderr
    assert "next:     ./nox -s e2e" in result.stderr


@pytest.mark.parametrize("wrong", ["latest", "sha256:abc", DIGEST.upper()])
@pytest.mark.parametrize("chart", CHARTS)
def test_what_is_no_digest_is_refused(helm: Helm, chart: str, wrong: str) -> None:
    paths = [path for owner, path in image_paths() if owner == chart]
    words = [word for path in paths for word in ("--set-string", f"{path}.digest={wrong}")]
    result = helm.try_template(chart, "local", *words)
    assert result.returncode != 0
    for path in paths:
        assert f"at '/{path.replace('.', '/')}/digest': '{wrong}' does not match pattern" in result.stderr


@pytest.mark.parametrize("chart", CHARTS)
def test_a_schema_knows_every_key_of_its_values(chart: str) -> None:
    """Every object of the schema is closed but the two that helm itself fills: no key can be misspelt."""
    schema = json.loads((REPOSITORY / "helm" / chart / "values.schema.json").read_text(encoding="utf-8"))

    def open_objects(node: Any, path: str) -> Iterator[str]:
        if isinstance(node, dict):
            if node.get("type") == "object" and node.get("additionalProperties") is not False:
                yield path
            for key, inner in node.items():
                yield from open_objects(inner, f"{path}/{key}")

    assert sorted(open_objects(schema, "")) == ["/properties/global", "/properties/lib"]
    assert set(chart_values(chart)) == set(schema["properties"]) - {"global", "lib"}


@pytest.mark.parametrize("profile", CLOUDS)
@pytest.mark.parametrize("chart", CHARTS)
def test_a_profile_holds_overrides_only(chart: str, profile: str) -> None:
    base = library_defaults() if chart in SERVICE_CHARTS else chart_values(chart)
    defaults = dict(leaves(base))
    for path, value in leaves(profile_values(chart, profile)):
        if FREE_KEYS.isdisjoint(path):
            assert path in defaults, f"values-{profile}.yaml: {'.'.join(path)} overrides nothing"
            assert defaults[path] != value, f"values-{profile}.yaml: {'.'.join(path)} repeats the default"


@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_a_services_values_hold_overrides_only(chart: str) -> None:
    defaults = dict(leaves(library_defaults()))
    for path, value in leaves(read_values(REPOSITORY / "helm" / chart / "values.yaml")):
        assert defaults.get(path) != value, f"{chart}/values.yaml: {'.'.join(path)} repeats the library's default"


@pytest.mark.parametrize("profile", CLOUDS)
@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_a_services_profile_has_all_that_the_clouds_services_share(chart: str, profile: str) -> None:
    """A chart's profile is a link to the common one, or holds the same and more."""
    common = read_values(REPOSITORY / "helm" / "lib" / "profiles" / f"{profile}.yaml")
    own = dict(leaves(profile_values(chart, profile)))
    assert {path: own.get(path) for path, _ in leaves(common)} == dict(leaves(common))


@pytest.mark.parametrize("chart", CHARTS)
def test_the_suites_values_fit_the_chart(helm: Helm, chart: str) -> None:
    names = ("service", f"service-{chart}") if chart in SERVICE_CHARTS else (chart,)
    for name in names:
        file = REPOSITORY / "tests" / "e2e" / "values" / f"{name}.yaml"
        if file.exists():
            assert helm.template(chart, "local", "--values", str(file)) != helm.template(chart, "local"), name


@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_in_a_region_that_stands_by_a_service_has_no_pods(helm: Helm, chart: str, tmp_path: Path) -> None:
    values = tmp_path / "service.yaml"
    values.write_text(REGION_VALUES.format(replicas=0))
    manifests = helm.manifests(chart, "local", "--values", str(values))
    [deployment] = of_kind(manifests, "Deployment")
    assert deployment["spec"]["replicas"] == 0
    assert of_kind(manifests, "HorizontalPodAutoscaler") == []
    assert helm.try_template(chart, "local", "--set", "autoscaling.minReplicas=0").returncode != 0


@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_a_service_chart_is_thin(chart: str) -> None:
    """A service's templates only name those of helm/lib: what one service gains, all gain."""
    folder = REPOSITORY / "helm" / chart
    for template in sorted((folder / "templates").iterdir()):
        assert re.fullmatch(r'\{\{ include "lib\.[a-z]+" \. \}\}\n', template.read_text(encoding="utf-8")), template
    assert (folder / "values.schema.json").readlink() == Path("../lib/service.schema.json")
