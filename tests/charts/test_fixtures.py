"""Fixtures as kustomize makes them: Services find one workload's pods, monitors find Services, images are listed."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from .policy import workloads
from .rendering import REPOSITORY, Manifest, of_kind
from .test_wiring import matches

FIXTURES = sorted(path.parent for path in (REPOSITORY / "k8s-fixtures").glob("*/kustomization.yaml"))


def made(folder: Path) -> list[Manifest]:
    """What `kubectl kustomize` makes of a fixture."""
    kubectl = Path(os.environ["SLUICE_BIN"]) / "kubectl"
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60, check=True)
    return [each for each in yaml.safe_load_all(done.stdout) if each]


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_a_service_of_a_fixture_finds_the_pods_of_one_workload(folder: Path) -> None:
    """An exporter that the server's Service found would be asked for the database now and then."""
    manifests = made(folder)
    for service in of_kind(manifests, "Service"):
        found = [each for each in workloads(manifests) if matches(service["spec"]["selector"], each.labels)]
        assert len(found) == 1, service["metadata"]["name"]
        ports = {port["name"] for container in found[0].lasting for port in container.get("ports", ())}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_what_watches_a_fixture_finds_one_service_and_is_told_apart_by_its_label(folder: Path) -> None:
    manifests = made(folder)
    for monitor in of_kind(manifests, "ServiceMonitor"):
        found = [
            each
            for each in of_kind(manifests, "Service")
            if matches(monitor["spec"]["selector"]["matchLabels"], each["metadata"]["labels"])
        ]
        assert len(found) == 1, monitor["metadata"]["name"]
        ports = {port["name"] for port in found[0]["spec"]["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= ports
        # What a region has besides is laid over the fixture of that name.
        of = folder.name.removesuffix("-region")
        assert {_service(found[0], endpoint) for endpoint in monitor["spec"]["endpoints"]} == {of}


def _service(service: Manifest, endpoint: dict[str, Any]) -> str:
    """The label `service` of the series: the Service's name, unless a rule replaces it."""
    rules = endpoint.get("relabelings", ())
    replaced = (rule["replacement"] for rule in rules if rule.get("targetLabel") == "service")
    return str(next(replaced, service["metadata"]["name"]))


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_a_fixture_lists_the_images_of_its_pods(folder: Path) -> None:
    """The pipeline obtains those that are listed, and gives no other its digest."""
    listed = {image["name"] for image in yaml.safe_load((folder / "kustomization.yaml").read_text())["images"]}
    pods = workloads(made(folder))
    used = {container["image"] for each in pods for container in (*each.containers, *each.init_containers)}
    assert used <= listed
