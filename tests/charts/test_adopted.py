"""The charts of a project that `./nox -s init` wrote: helm takes each of them, and they keep our policy."""

from pathlib import Path

import pytest

from sluice.adopting import begin

from .policy import EXCEPTIONS, broken, workloads
from .rendering import CLOUDS, REPOSITORY, Helm, run, tool
from .schemas import Schemas
from .test_network import unguarded

SERVICE = "zoo-desk"


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """A project's charts, with their dependencies."""
    into: Path = tmp_path_factory.mktemp("adopted") / "shop"
    begin(REPOSITORY, into, SERVICE, "0123abcd")
    charts = into / "helm"
    assert sorted(path.parent.name for path in charts.glob("*/Chart.yaml")) == ["lib", "logging", "monitoring", SERVICE]
    for chart in (SERVICE, "monitoring", "logging"):
        done = run(tool("helm"), "dependency", "build", charts / chart)
        assert done.returncode == 0, done.stderr
    return Helm(tool("helm"), charts)


@pytest.mark.parametrize("chart", [SERVICE, "monitoring", "logging"])
@pytest.mark.parametrize("profile", ["local", *CLOUDS])
def test_every_chart_renders_to_what_kubernetes_takes(
    adopted: Helm, schemas: Schemas, chart: str, profile: str
) -> None:
    manifests = adopted.manifests(chart, profile)
    assert [mistake for manifest in manifests for mistake in schemas.mistakes(manifest)] == []
    found = [(one.name, rule, seen) for one in workloads(manifests) for rule, seen in broken(one)]
    assert [one for one in found if one[:2] not in EXCEPTIONS] == []
    if chart == SERVICE:
        assert list(unguarded(manifests)) == []
        assert {one["metadata"]["name"] for one in manifests if one["kind"] == "Deployment"} == {SERVICE}


def test_monitoring_brings_the_services_objectives_and_nobody_elses(adopted: Helm) -> None:
    rules = [one for one in adopted.manifests("monitoring", "local") if one["kind"] == "PrometheusRule"]
    groups = {group["name"] for one in rules for group in one["spec"]["groups"]}
    assert {name for name in groups if name.startswith("slo-")} == {f"slo-{SERVICE}"}


def test_what_the_library_does_not_know_is_refused(adopted: Helm) -> None:
    """The links of the chart lead to the library's schema."""
    refused = adopted.try_template(SERVICE, "local", "--set", "port.x=1")
    assert refused.returncode != 0
    assert "port" in refused.stderr
