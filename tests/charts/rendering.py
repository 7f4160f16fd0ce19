"""Runs helm, and reads what it renders as strictly as the API server would."""

import os
import subprocess
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
CHARTS = tuple(sorted(path.parent.name for path in REPOSITORY.glob("helm/*/Chart.yaml") if path.parent.name != "lib"))
PROFILES = ("local", "oke", "aks", "gke")
NAMESPACES = {"monitoring": "monitoring", "logging": "logging"}
DIGEST = "sha256:" + 64 * "a"

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


def images_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that give every image of a chart a digest, as the pipeline does."""
    if "image" in values:
        return {"image": {"repository": "registry:5000/sluice/service", "digest": DIGEST}}
    return {
        "images": {name: {"repository": f"registry:5000/sluice/{name}", "digest": DIGEST} for name in values["images"]}
    }


@dataclass(frozen=True)
class Helm:
    """The helm program, and a copy of helm/ in which every chart has its dependencies."""

    program: Path
    charts: Path

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
            values = yaml.safe_load((folder / "values.yaml").read_text(encoding="utf-8"))
            file.write_text(yaml.safe_dump(images_of(values)), encoding="utf-8")
            command += ["--values", file]
        return run(*command, *arguments)

    def manifests(self, chart: str, profile: str, *arguments: str) -> list[Manifest]:
        """What a chart renders to, parsed."""
        return documents(self.template(chart, profile, *arguments))


def fixture_manifests() -> Iterator[tuple[str, Manifest]]:
    """Each manifest under k8s-fixtures, with its file; kind's and kustomize's own files are not manifests."""
    root = REPOSITORY / "k8s-fixtures"
    for path in sorted(root.rglob("*.yaml")):
        if path.name != "kustomization.yaml" and "kind" not in path.relative_to(root).parts:
            for manifest in documents(path.read_text(encoding="utf-8")):
                yield str(path.relative_to(REPOSITORY)), manifest


def title(manifest: Manifest) -> str:
    """What a manifest is called in a message."""
    return f"{manifest.get('kind')}/{manifest.get('metadata', {}).get('name')}"
