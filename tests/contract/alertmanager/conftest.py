"""A real Alertmanager with the chart's configuration, and the suites' receivers, both on loopback."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.contract.programs import answers, free_ports, program, running

ROOT = Path(__file__).parents[3]
DIGEST = "sha256:" + 64 * "a"
MOUNTED = "/etc/alertmanager/secrets"
LIVES = timedelta(minutes=10)


@dataclass(frozen=True)
class Told:
    """An Alertmanager under test, and what it told its receivers."""

    alertmanager: httpx.Client
    receivers: httpx.Client

    def fire(self, *alerts: dict[str, str], resolved: bool = False) -> None:
        """Give it alerts, as Prometheus does: labels, and annotations with their names in them."""
        now = datetime.now(UTC)
        body = [
            {
                "labels": labels,
                "annotations": {
                    name: f"{name} of {labels['alertname']} {labels.get('node', '')}".rstrip() for name in ANNOTATIONS
                },
                "startsAt": (now - timedelta(seconds=5)).isoformat(),
                "endsAt": (now if resolved else now + LIVES).isoformat(),
            }
            for labels in alerts
        ]
        self.alertmanager.post("/api/v2/alerts", json=body).raise_for_status()

    def record(self, alert: str) -> dict[str, dict[str, Any]]:
        """The last message of each kind about an alert."""
        items = self.receivers.get("/record").raise_for_status().json()["items"]
        return {item["kind"]: item for item in items if item["alert"] == alert}

    def assert_paged(self, alert: str, summary: str, *, status: str = "firing") -> None:
        """Assert what PagerDuty was told last of an alert's group: its first line begins so."""
        item = self.record(alert).get("pagerduty", {"status": "nothing", "text": ""})
        assert item["status"] == status
        first = item["text"].partition("\n")[0]
        assert first == summary if status == "firing" else first.startswith(summary)

    def assert_kept_back(self, expected: dict[str, bool]) -> None:
        """Assert of alerts, by name, whether they are inhibited."""
        found = self.alertmanager.get("/api/v2/alerts").raise_for_status().json()
        states = {alert["labels"]["alertname"]: bool(alert["status"]["inhibitedBy"]) for alert in found}
        assert {name: states.get(name) for name in expected} == expected

    def muted(self) -> dict[str, bool]:
        """Whether each alert waits for an interval of time, by its name."""
        groups = self.alertmanager.get("/api/v2/alerts/groups").raise_for_status().json()
        alerts = [alert for group in groups for alert in group["alerts"]]
        return {alert["labels"]["alertname"]: bool(alert["status"]["mutedBy"]) for alert in alerts}


ANNOTATIONS = ("summary", "description", "runbook_url", "dashboard_url")


def rendered(folder: Path, **alertmanager: Any) -> dict[str, Any]:
    """Alertmanager's configuration as the chart renders it with the suites' values and these over them."""
    charts = folder / "helm"
    shutil.copytree(ROOT / "helm", charts, symlinks=True, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
    names = yaml.safe_load((charts / "monitoring" / "values.yaml").read_text(encoding="utf-8"))["images"]
    values = {"images": {name: {"repository": "r/x", "digest": DIGEST} for name in names}, "alertmanager": alertmanager}
    (folder / "values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    suites = ROOT / "tests" / "e2e" / "values" / "monitoring.yaml"
    command: list[str | Path] = [program("helm"), "dependency", "build", charts / "monitoring"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    command = [program("helm"), "template", "monitoring", charts / "monitoring", "--values", suites]
    command += ["--values", folder / "values.yaml", "--show-only", "templates/alertmanager.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    secret = next(one for one in yaml.safe_load_all(done.stdout) if one["kind"] == "Secret")
    config: dict[str, Any] = yaml.safe_load(secret["stringData"]["alertmanager.yaml"])
    return config


@contextmanager
def telling(folder: Path, **alertmanager: Any) -> Iterator[Told]:
    """Run both until the block ends: what is in the cluster by name is here by port, what is mounted is in a folder."""
    http, smtp, port = free_ports(3)
    text = json.dumps(rendered(folder, **alertmanager))
    places = {"alert-receivers:8080": f"127.0.0.1:{http}", "alert-receivers:2525": f"127.0.0.1:{smtp}"}
    for place, here in {**places, MOUNTED: str(folder / "secrets")}.items():
        text = text.replace(place, here)
    (folder / "config.json").write_text(text, encoding="utf-8")
    for path, content in {
        "alert-receivers-slack/url": f"http://127.0.0.1:{http}/slack/token",
        "alert-receivers-webhook/url": f"http://127.0.0.1:{http}/webhook/token",
        "alert-receivers-pagerduty/routing-key": "key",
    }.items():
        file = folder / "secrets" / path
        file.parent.mkdir(parents=True)
        file.write_text(content, encoding="utf-8")
    script = ROOT / "k8s-fixtures" / "alert-receivers" / "receivers.py"
    receivers: list[str | Path] = [sys.executable, script, str(http), str(smtp)]
    argv: list[str | Path] = [program("alertmanager"), f"--config.file={folder / 'config.json'}"]
    argv += [f"--storage.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    urls = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{http}"
    with (
        running(receivers, ready=answers(f"{urls[1]}/healthz"), log=folder / "receivers.log"),
        running(argv, ready=answers(f"{urls[0]}/-/ready"), log=folder / "alertmanager.log"),
        httpx.Client(base_url=urls[0], trust_env=False) as alerting,
        httpx.Client(base_url=urls[1], trust_env=False) as receiving,
    ):
        yield Told(alerting, receiving)


def within(seconds: float, check: Any) -> None:
    """Return once `check` asserts nothing; fails with its last cause."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """An Alertmanager as the suites' cluster has it."""
    with telling(tmp_path_factory.mktemp("alertmanager")) as found:
        yield found
