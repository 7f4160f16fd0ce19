"""Alloy in Promtail's place: its own parser reads the configuration, which says what Promtail's says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from .promtail import config_map, manifest
from .rendering import Helm, of_kind, run, tool

ALLOY = ("--set", "collector=alloy")
AUTH = ("--set", "loki.auth.enabled=true")
# Components and what they need, after Alloy 1.18's reference (docs/sources/reference/components).
REQUIRED = {
    "logging": set(),
    "discovery.kubernetes": {"role"},
    "discovery.relabel": {"targets"},
    "local.file_match": {"path_targets"},
    "loki.source.file": {"targets", "forward_to"},
    "loki.process": {"forward_to"},
    "loki.write": set(),
}

Block = dict[str, Any]


def read(helm: Helm, *arguments: str) -> list[Block]:
    """What Alloy's parser makes of the rendered configuration."""
    text = config_map(helm, "alloy", "local", *ALLOY, *arguments, file="config.alloy")
    result = run(tool("alloy-syntax"), stdin=text)
    assert result.returncode == 0, result.stderr
    found: list[Block] = json.loads(result.stdout)
    return found


def block(blocks: list[Block], name: str) -> list[Block]:
    """The body of the one block of that name."""
    (found,) = [each for each in blocks if each.get("block") == name]
    body: list[Block] = found.get("body", [])
    return body


def attributes(body: list[Block]) -> dict[str, Any]:
    return {each["name"]: each["value"] for each in body if "name" in each}


def promtail(helm: Helm, *arguments: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(config_map(helm, "promtail", "local", *arguments))
    return loaded


def as_promtail(blocks: list[Block]) -> Iterator[dict[str, Any]]:
    """Alloy's stages in Promtail's words."""
    for each in blocks:
        if "block" not in each:
            continue
        kind, body = each["block"].removeprefix("stage."), each.get("body", [])
        values = attributes(body)
        if kind == "label_drop":
            yield {"labeldrop": values["values"]}
        elif kind == "labels":
            yield {"labels": {name: None if name == source else source for name, source in values["values"].items()}}
        elif kind == "match":
            yield {"match": values | {"stages": list(as_promtail(body))}}
        else:
            yield {kind: values}


def test_alloys_parser_reads_it_and_every_component_has_what_it_needs(helm: Helm) -> None:
    blocks = read(helm)
    assert {each["block"] for each in blocks} == set(REQUIRED)
    for each in blocks:
        assert set(attributes(each.get("body", []))) >= REQUIRED[each["block"]], each["block"]
        assert each["block"] == "logging" or each["label"]


def test_the_parser_refuses_what_is_no_configuration(helm: Helm) -> None:
    text = config_map(helm, "alloy", "local", *ALLOY, file="config.alloy")
    result = run(tool("alloy-syntax"), stdin=text.replace("forward_to = [", "forward_to = (", 1))
    assert result.returncode == 1
    assert "config.alloy:" in result.stderr


def test_lines_go_from_the_pods_of_the_node_to_loki(helm: Helm) -> None:
    """Each component takes what the one before it exports."""
    blocks = read(helm)
    labels = {f"{each['block']}.{each['label']}" for each in blocks if "label" in each}
    named = {
        "discovery.relabel": ("targets", "discovery.kubernetes.pods.targets"),
        "local.file_match": ("path_targets", "discovery.relabel.pods.output"),
        "loki.source.file": ("targets", "local.file_match.pods.targets"),
    }
    for name, (attribute, export) in named.items():
        assert attributes(block(blocks, name))[attribute] == {"expression": export}
        assert export.rsplit(".", 1)[0] in labels
    for name, receiver in (("loki.source.file", "loki.process.pods"), ("loki.process", "loki.write.loki")):
        assert attributes(block(blocks, name))["forward_to"] == {"expression": f"[{receiver}.receiver]"}
        assert receiver in labels
    selectors = attributes(block(block(blocks, "discovery.kubernetes"), "selectors"))
    assert selectors["field"] == {"expression": '"spec.nodeName=" + sys.env("HOSTNAME")'}


def test_it_finds_the_same_files_and_gives_the_same_labels(helm: Helm) -> None:
    rules = [attributes(each["body"]) for each in block(read(helm), "discovery.relabel") if "block" in each]
    expected = promtail(helm)["scrape_configs"][0]["relabel_configs"]
    assert rules == [rule for rule in expected if rule["target_label"] != "__host__"]


def test_its_stages_are_promtails(helm: Helm) -> None:
    stages = list(as_promtail(block(read(helm), "loki.process")))
    assert stages == promtail(helm)["scrape_configs"][0]["pipeline_stages"]
    assert len([stage for stage in stages[1]["match"]["stages"] if "replace" in stage]) >= 10


@pytest.mark.parametrize("auth", [(), AUTH])
def test_it_waits_for_loki_as_long_and_writes_for_the_same_tenant(helm: Helm, auth: tuple[str, ...]) -> None:
    endpoint = attributes(block(block(read(helm, *auth), "loki.write"), "endpoint"))
    client = promtail(helm, *auth)["clients"][0]
    assert endpoint == {
        "url": client["url"],
        "batch_wait": client["batchwait"],
        "remote_timeout": client["timeout"],
        "min_backoff_period": client["backoff_config"]["min_period"],
        "max_backoff_period": client["backoff_config"]["max_period"],
        "max_backoff_retries": client["backoff_config"]["max_retries"],
    } | ({"tenant_id": client["tenant_id"]} if auth else {})


def test_one_collector_is_there_and_has_all_that_it_needs(helm: Helm) -> None:
    for collector, other in (("promtail", "alloy"), ("alloy", "promtail")):
        manifests = helm.manifests("logging", "local", "--set", f"collector={collector}")
        names = {each["metadata"]["name"] for each in manifests}
        assert {collector, f"logging-{collector}"} <= names
        assert not {other, f"logging-{other}"} & names
        monitors = {each["metadata"]["name"] for each in of_kind(manifests, "ServiceMonitor")}
        assert monitors == {"loki", collector}
    pod = manifest(helm.manifests("logging", "local", *ALLOY), "DaemonSet", "alloy")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"][:2] == ["run", "/etc/alloy/config.alloy"]
    paths = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert paths["config"] == "/etc/alloy"
    assert f"--storage.path={paths['positions']}" in container["args"]
