"""Dashboards are ConfigMaps that any Grafana's sidecar finds, and our own Grafana mounts."""

import json
from typing import Any

import pytest

from .policy import workloads
from .rendering import REPOSITORY, Helm, of_kind

FOLDER = REPOSITORY / "helm" / "monitoring" / "dashboards"
FILES = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}


def dashboards(helm: Helm, *arguments: str) -> dict[str, dict[str, Any]]:
    """The ConfigMaps of dashboards, by name."""
    found = of_kind(helm.manifests("monitoring", "local", *arguments), "ConfigMap")
    return {one["metadata"]["name"]: one for one in found if one["metadata"]["name"].startswith("dashboard-")}


def test_each_dashboard_is_a_config_map_that_a_sidecar_finds(helm: Helm) -> None:
    found = dashboards(helm)
    assert set(found) == {f"dashboard-{name.removesuffix('.json')}" for name in FILES}
    for one in found.values():
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert one["metadata"]["annotations"] == {"grafana_folder": "Sluice"}
        (name,) = one["data"]
        assert json.loads(one["data"][name]) == json.loads(FILES[name])


def test_label_and_folder_can_be_another_sidecars(helm: Helm) -> None:
    asked = ("--set", "dashboards.labels.mine=yes", "--set", "dashboards.folder=Ours")
    for one in dashboards(helm, *asked).values():
        assert one["metadata"]["labels"]["mine"] == "yes"
        assert one["metadata"]["annotations"] == {"grafana_folder": "Ours"}


def test_links_to_runbooks_begin_where_runbooks_are(helm: Helm) -> None:
    base = "https://example.org/main"
    texts = [one["data"] for one in dashboards(helm, "--set", f"rules.runbookBaseUrl={base}/").values()]
    panels = [panel for data in texts for text in data.values() for panel in json.loads(text)["panels"]]
    links = [link["url"] for panel in panels for link in panel.get("links", ())]
    assert len(links) > 20
    assert all(link.startswith(f"{base}/helm/monitoring/runbooks/") for link in links)


@pytest.mark.parametrize("disabled", [False, True])
def test_our_own_grafana_mounts_what_there_is(helm: Helm, disabled: bool) -> None:
    asked = ["--set", "grafana.enabled=true", *(["--set", "dashboards.enabled=false"] if disabled else [])]
    there = dashboards(helm, *asked)
    assert bool(there) is not disabled
    (grafana,) = [one for one in workloads(helm.manifests("monitoring", "local", *asked)) if one.name == "grafana"]
    (volume,) = [one for one in grafana.pod["volumes"] if one["name"] == "dashboards"]
    sources = [one["configMap"] for one in volume["projected"]["sources"]]
    assert all(one["optional"] for one in sources)
    assert set(there) <= {one["name"] for one in sources}
    assert len(sources) == len(FILES)
