"""A Loki on loopback with the configuration that the chart renders: other folders and ports, else a cluster's."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.charts.conftest import helm as helm
from tests.charts.rendering import Helm, merged
from tests.contract.programs import answers, free_ports, program, running


@dataclass(frozen=True)
class ChartedLoki:
    """What the chart renders for Loki, laid out below a folder."""

    folder: Path
    config: Mapping[str, Any]

    @property
    def url(self) -> str:
        """Where it listens while it runs."""
        return f"http://127.0.0.1:{self.config['server']['http_listen_port']}"

    @contextmanager
    def run(self) -> Iterator[str]:
        """Start it on what the last run left, and give its address; it is stopped as the kubelet does, by SIGTERM."""
        file = self.folder / "loki.yaml"
        file.write_text(yaml.safe_dump(dict(self.config)), encoding="utf-8")
        argv: list[str | Path] = [program("loki"), f"-config.file={file}", "-config.expand-env=true"]
        with running(argv, ready=answers(f"{self.url}/ready"), log=self.folder / "loki.log"):
            yield self.url


def charted(helm: Helm, folder: Path, *arguments: str, changes: Mapping[str, Any] | None = None) -> ChartedLoki:
    """Render the chart with further arguments of helm, and lay its ConfigMaps out as the pod has them."""
    maps = {
        each["metadata"]["name"]: each["data"]
        for each in helm.manifests("logging", "local", *arguments)
        if each["kind"] == "ConfigMap"
    }
    rules = folder / "rules" / "fake"
    rules.mkdir(parents=True)
    for name, text in maps["loki-rules"].items():
        (rules / name).write_text(text, encoding="utf-8")
    text = maps["loki"]["config.yaml"].replace("/var/loki", str(folder / "data"))
    http, grpc = free_ports(2)
    here = {
        "server": {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": http,
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": grpc,
        },
        "common": {"ring": {"instance_addr": "127.0.0.1"}},
    }
    config = merged(yaml.safe_load(text.replace("/etc/loki-rules", str(folder / "rules"))), here)
    return ChartedLoki(folder, merged(config, changes or {}))


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the pipeline runs on."""
    return "asyncio"
