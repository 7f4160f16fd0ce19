"""What helm must refuse, with words that help; and what the values files may hold."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from .rendering import CHARTS, DIGEST, PROFILES, REPOSITORY, Helm

CLOUDS = tuple(profile for profile in PROFILES if profile != "local")
SERVICE_CHARTS = tuple(chart for chart in CHARTS if chart not in {"monitoring", "logging"})
FREE_KEYS = {"environment", "externalLabels"}  # maps whose keys the user chooses


def values(chart: str, profile: str = "local") -> dict[str, Any]:
    name = "values.yaml" if profile == "local" else f"values-{profile}.yaml"
    loaded: dict[str, Any] = yaml.safe_load((REPOSITORY / "helm" / chart / name).read_text(encoding="utf-8"))
    return loaded


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
        images = values(chart).get("images")
        found += [(chart, f"images.{name}") for name in images] if images else [(chart, "image")]
    return found


@pytest.mark.parametrize("chart", CHARTS)
def test_a_misspelt_value_is_refused_by_name(helm: Helm, chart: str) -> None:
    first_map = next(key for key, value in values(chart).items() if isinstance(value, dict) and value)
    for path in ("misspelt", f"{first_map}.misspelt"):
        result = helm.try_template(chart, "local", "--set", f"{path}=1")
        assert result.returncode != 0
        assert "'misspelt' not allowed" in result.stderr


@pytest.mark.parametrize("key", ["repository", "digest"])
@pytest.mark.parametrize(("chart", "path"), image_paths())
def test_an_image_without_digest_is_refused_with_the_cure(helm: Helm, chart: str, path: str, key: str) -> None:
    enable = ["--set", "grafana.enabled=true"] if path == "images.grafana" else []
    result = helm.try_template(chart, "local", *enable, "--set", f"{path}.{key}=")
    assert result.returncode != 0
    assert f"the chart {chart} names no {key} for the image of" in result.stderr
    assert f'found:    {path}.{key} = ""' in result.stderr
    assert "expected: " in result.stderr
    assert "next:     ./nox -s e2e" in result.stderr


@pytest.mark.parametrize("wrong", ["latest", "sha256:abc", DIGEST.upper()])
@pytest.mark.parametrize(("chart", "path"), image_paths())
def test_what_is_no_digest_is_refused(helm: Helm, chart: str, path: str, wrong: str) -> None:
    result = helm.try_template(chart, "local", "--set-string", f"{path}.digest={wrong}")
    assert result.returncode != 0
    assert wrong in result.stderr


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
    assert set(values(chart)) == set(schema["properties"]) - {"global", "lib"}


@pytest.mark.parametrize("profile", CLOUDS)
@pytest.mark.parametrize("chart", CHARTS)
def test_a_profile_holds_overrides_only(chart: str, profile: str) -> None:
    defaults = dict(leaves(values(chart)))
    for path, value in leaves(values(chart, profile)):
        if FREE_KEYS.isdisjoint(path):
            assert path in defaults, f"values-{profile}.yaml: {'.'.join(path)} overrides nothing"
            assert defaults[path] != value, f"values-{profile}.yaml: {'.'.join(path)} repeats the default"


@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_a_service_chart_is_thin(chart: str) -> None:
    """A service's templates only name those of helm/lib: what one service gains, all gain."""
    for template in sorted((REPOSITORY / "helm" / chart / "templates").iterdir()):
        assert re.fullmatch(r'\{\{ include "lib\.[a-z]+" \. \}\}\n', template.read_text(encoding="utf-8")), template
