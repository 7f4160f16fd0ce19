"""Sends lines through the real Promtail, with the pipeline that the chart renders."""

import re
import subprocess
import threading
from pathlib import Path

import yaml

from .rendering import Helm, Manifest, optional_tool

STAMP = "2026-01-02T03:04:05.678901234Z stdout F "
LINE = re.compile(r"^\S+\s(?P<labels>\{.*?\})\s(?P<line>.*)$")


def manifest(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The one of that kind and name."""
    return next(each for each in manifests if (each["kind"], each["metadata"]["name"]) == (kind, name))


def config_map(helm: Helm, name: str, profile: str = "local", *arguments: str, file: str = "config.yaml") -> str:
    """A file of a ConfigMap of the logging chart."""
    return str(manifest(helm.manifests("logging", profile, *arguments), "ConfigMap", name)["data"][file])


def through_promtail(helm: Helm, folder: Path, lines: list[str]) -> list[tuple[dict[str, str], str]]:
    """Send lines through the real pipeline, with static labels in the place of the API server's."""
    config = yaml.safe_load(config_map(helm, "promtail"))
    scrape = config["scrape_configs"][0]
    del scrape["kubernetes_sd_configs"]
    scrape["static_configs"] = [{"labels": {"namespace": "default"}}]
    config["positions"] = {"filename": str(folder / "positions.yaml")}
    config["server"] = {"disable": True}
    file = folder / "promtail.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [str(optional_tool("promtail")), f"-config.file={file}", "-stdin", "-dry-run", "-inspect=false"]
    found: list[tuple[dict[str, str], str]] = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        deadline = threading.Timer(30, process.kill)
        deadline.start()
        assert process.stdin is not None
        assert process.stdout is not None
        # Its input stays open until all is printed: promtail ends with its input, in the middle of a line.
        process.stdin.write("".join(f"{STAMP}{line}\n" for line in lines))
        process.stdin.flush()
        while len(found) < len(lines) and (printed := process.stdout.readline()):
            match = LINE.match(printed.rstrip("\n"))
            if match:
                found.append((dict(re.findall(r'(\w+)="([^"]*)"', match["labels"])), match["line"]))
        deadline.cancel()
        process.kill()
    return found
