"""Runs helm, and reads what it renders as strictly as the API server would."""

import copy
import os
import subprocess
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
CHARTS = tuple(sorted(path.parent.name for path in REPOSITORY.glob("helm/*/Chart.yaml") if path.parent.name != "lib"))
PROFILES = ("local", "oke", "aks", "gke")
CLOUDS = PROFILES[1:]
NAMESPACES = {"monitoring": "monitoring", "logging": "logging"}
SERVICE_CHARTS = tuple(chart for chart in CHARTS if chart not in NAMESPACES)
DIGEST = "sha256:" + 64 * "a"
# What only whoever installs a chart on a cloud can know, and has to give.
GIVEN: dict[tuple[str, str], tuple[str, ...]] = {
    ("logging", "oke"): (
        "--set=loki.objectStorage.bucket=logs",
        "--set=loki.objectStorage.s3.endpoint=ns.compat.objectstorage.eu-frankfurt-1.oraclecloud.com",
        "--set=loki.objectStorage.s3.region=eu-frankfurt-1",
    ),
    ("logging", "aks"): (
        "--set=loki.objectStorage.bucket=logs",
        "--set=loki.objectStorage.azure.account=sluicelogs",
        "--set=loki.objectStorage.azure.clientId=00000000-0000-0000-0000-000000000001",
    ),
    ("logging", "gke"): ("--set=loki.objectStorage.bucket=logs",),
}
EXAMPLE_SERVICE = {"service": "a-service", "identifier": "a_service", "revision": "0123abcd"}

Manifest = dict[str, Any]


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML in which a key that is given twice is an error, and not the last one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping, or raise ConstructorError with the place of the second key."""
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    "in a mapping", node.start_mark, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


# YAML 1.1 gives a bare `=` a meaning that PyYAML cannot build; in the CRDs it is a matcher's name.
UniqueKeyLoader.add_constructor("tag:yaml.org,2002:value", lambda _, node: str(node.value))


def documents(text: str) -> list[Manifest]:
    """Every document of a YAML stream, empty ones left out."""
    return [document for document in yaml.load_all(text, Loader=UniqueKeyLoader) if document]


def required(variable: str) -> Path:
    """The path that an environment variable names; fails the test, with the cure, when there is none."""
    value = os.environ.get(variable, "")
    if not value or not Path(value).exists():
        pytest.fail(f"{variable} is {value!r}, expected an existing path; run ./nox -s tests, which sets it")
    return Path(value)


def tool(name: str) -> Path:
    """A program of SLUICE_BIN that the tests cannot do without."""
    path = required("SLUICE_BIN") / name
    if not path.exists():
        pytest.fail(f"{name} is not in SLUICE_BIN ({path.parent}); run ./nox -s tests, which builds it")
    return path


def optional_tool(name: str) -> Path:
    """A program of SLUICE_BIN that takes long to build: the test is skipped until it is there."""
    path = required("SLUICE_BIN") / name
    if not path.exists():
        pytest.skip(f"{name} is not in SLUICE_BIN yet; ./nox -s supply builds it")
    return path


def run(*command: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program to its end, at most a minute."""
    return subprocess.run(
        [str(word) for word in command], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )


def read_values(path: Path) -> dict[str, Any]:
    """A file of values; an empty one holds none."""
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return loaded


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Values laid over others as helm does it: maps are merged, everything else is replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def library_defaults() -> dict[str, Any]:
    """What helm/lib exports to every service's chart."""
    exported: dict[str, Any] = read_values(REPOSITORY / "helm" / "lib" / "values.yaml")["exports"]["defaults"]
    return exported


def chart_values(chart: str) -> dict[str, Any]:
    """The values that a chart has when none are given."""
    own = read_values(REPOSITORY / "helm" / chart / "values.yaml")
    return merged(library_defaults(), own) if chart in SERVICE_CHARTS else own


def images_of(chart: str) -> dict[str, Any]:
    """Values that give every image of a chart a digest, as the pipeline does."""

    def by_digest(name: str) -> dict[str, str]:
        return {"repository": f"registry:5000/sluice/{name}", "digest": DIGEST}

    if chart in NAMESPACES:
        return {"images": {name: by_digest(name) for name in chart_values(chart)["images"]}}
    return {"image": by_digest("service"), "dapr": {"image": by_digest("daprd")}}


@dataclass(frozen=True)
class Helm:
    """The helm program, and a copy of helm/ in which every chart has its dependencies."""

    program: Path
    charts: Path
    rendered: dict[tuple[str, ...], list[Manifest]] = field(default_factory=dict)

    def template(self, chart: str, profile: str, *arguments: str, images: bool = True) -> str:
        """Render a chart; raises AssertionError with helm's own words when it refuses."""
        result = self.try_template(chart, profile, *arguments, images=images)
        assert result.returncode == 0, f"helm refuses {chart} for {profile}:\n{result.stderr}"
        return result.stdout

    def try_template(
        self, chart: str, profile: str, *arguments: str, images: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Render a chart and return what helm said, whether it did or refused."""
        folder = self.charts / chart
        command: list[str | Path] = [self.program, "template", chart, folder]
        command += ["--namespace", NAMESPACES.get(chart, "default"), "--kube-version", "1.34.2"]
        if profile != "local":
            command += ["--values", folder / f"values-{profile}.yaml"]
        if images:
            file = self.charts / f"images-{chart}.yaml"
            file.write_text(yaml.safe_dump(images_of(chart)), encoding="utf-8")
            command += ["--values", file]
        command += GIVEN.get((chart, profile), ())
        return run(*command, *arguments)

    def manifests(self, chart: str, profile: str, *arguments: str) -> list[Manifest]:
        """What a chart renders to, parsed; a copy that the caller may change. Rendered once for each question."""
        question = (chart, profile, *arguments)
        if question not in self.rendered:
            self.rendered[question] = documents(self.template(*question))
        return copy.deepcopy(self.rendered[question])


def fixture_manifests() -> Iterator[tuple[str, Manifest]]:
    """Each manifest under k8s-fixtures, with its file; kustomize's own files are not manifests.

    What the pipeline fills in for each service (each-service.yaml) is filled in for a service of an awkward name.
    """
    for path in sorted((REPOSITORY / "k8s-fixtures").rglob("*.yaml")):
        if path.name != "kustomization.yaml":
            text = path.read_text(encoding="utf-8")
            for name, value in EXAMPLE_SERVICE.items():
                text = text.replace(f"${{{name}}}", value)
            for manifest in documents(text):
                yield str(path.relative_to(REPOSITORY)), manifest


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """The manifests of one kind."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def title(manifest: Manifest) -> str:
    """What a manifest is called in a message."""
    return f"{manifest.get('kind')}/{manifest.get('metadata', {}).get('name')}"
