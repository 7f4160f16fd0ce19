"""The programs themselves accept the configuration that the charts render, and do with it what we mean."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from .promtail import config_map, through_promtail
from .rendering import Helm, optional_tool, run


def test_promtail_accepts_its_configuration(helm: Helm, tmp_path: Path) -> None:
    file = tmp_path / "promtail.yaml"
    file.write_text(config_map(helm, "promtail"), encoding="utf-8")
    result = run(optional_tool("promtail"), "-check-syntax", f"-config.file={file}")
    assert result.returncode == 0, result.stderr


LEVELS = (
    ('{"level": "error", "message": "no", "request_id": "r-1", "user_id": "u-1"}', "ERROR"),
    ('{"level": "WARNING", "message": "level=info is only text here"}', "WARNING"),
    ('{"level": "warn"}', "WARNING"),
    ('{"level": "Critical"}', "CRITICAL"),
    ('{"level": "made-up-by-a-client-4711"}', "UNKNOWN"),
    ('{"level": 30}', "UNKNOWN"),
    ('{"message": "no level"}', "UNKNOWN"),
    ("ts=2026-01-02T03:04:05Z level=info caller=main.go msg=started", "INFO"),
    ("level=fatal msg=gone", "CRITICAL"),
    ("E0102 03:04:05.678901       1 main.go:12] broken", "ERROR"),
    ("plain words about a level", "UNKNOWN"),
    ("", "UNKNOWN"),
)


def test_promtail_finds_the_level_and_leaves_the_line(helm: Helm, tmp_path: Path) -> None:
    found = through_promtail(helm, tmp_path, [line for line, _ in LEVELS])
    assert found == [({"namespace": "default", "level": level}, line) for line, level in LEVELS]


def test_dashboards_are_json(helm: Helm) -> None:
    for path in (helm.charts / "monitoring" / "dashboards").glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["title"], path


def expanded(template: str, match: re.Match[str]) -> str:
    """Go's way: `$1_` is the group named `1_`, which there is not."""
    groups = {str(number): text for number, text in enumerate(match.groups(), start=1)}
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda name: groups.get(name[1] or name[2], ""), template)


def relabelled(config: dict[str, Any], meta: dict[str, str]) -> dict[str, str]:
    """What Prometheus' relabelling makes of a pod's labels."""
    labels = dict(meta)
    for rule in config["scrape_configs"][0]["relabel_configs"]:
        source = ";".join(labels.get(name, "") for name in rule["source_labels"])
        match = re.fullmatch(rule.get("regex", "(.*)"), source)
        if match:
            labels[rule["target_label"]] = expanded(rule.get("replacement", "$1"), match)
    return {name: text for name, text in labels.items() if not name.startswith("__meta")}


@pytest.mark.parametrize(
    ("extra", "service", "folder"),
    [
        (
            {"label_service": "backend", "label_app_kubernetes_io_name": "other"},
            "backend",
            "default_pod-1_u-1",
        ),
        ({"label_app_kubernetes_io_name": "grafana"}, "grafana", "default_pod-1_u-1"),
        ({"label_k8s_app": "kube-dns"}, "kube-dns", "default_pod-1_u-1"),
        ({}, "main", "default_pod-1_u-1"),
        ({"annotation_kubernetes_io_config_hash": "0a1b"}, "main", "default_pod-1_0a1b"),
    ],
)
def test_promtail_names_the_service_and_finds_its_files(
    helm: Helm, extra: dict[str, str], service: str, folder: str
) -> None:
    pod = {"pod_name": "pod-1", "pod_uid": "u-1", "pod_node_name": "node", "pod_container_name": "main"}
    meta = {f"__meta_kubernetes_{name}": text for name, text in pod.items()}
    meta |= {f"__meta_kubernetes_pod_{name}": text for name, text in extra.items()}
    meta["__meta_kubernetes_namespace"] = "default"
    assert relabelled(yaml.safe_load(config_map(helm, "promtail")), meta) == {
        "__host__": "node",
        "__path__": f"/var/log/pods/{folder}/main/*.log",
        "namespace": "default",
        "pod": "pod-1",
        "container": "main",
        "service": service,
    }
