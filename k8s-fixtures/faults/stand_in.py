"""A small program that does wrong what it is told to: a drill's stand-in for a service, a consumer or a full disk.

It starts with the state that the variable STATE has; POST /state {"ready": false} changes it. What it is told so is in
a file of its volume, which outlives the container and not the pod.

    ready       whether /readyz says so
    metrics     whether /metrics is answered
    consumer    whether it counts events, none to begin with
    subscribe   whether the sidecar is told of the topic that has the stand-in's name
    answer      what a delivered event is answered with: SUCCESS, RETRY or DROP
    crash       whether the process ends as soon as it starts
    eat         MiB of memory to take as soon as it starts
    full        whether the volume is
"""

import json
import os
import shutil
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NAME = os.environ.get("NAME", "stand-in")
VOLUME = Path(os.environ.get("VOLUME", "/data"))
SIDECAR = "http://127.0.0.1:3500/v1.0/publish/pubsub"
MIB, BLOCK = 1024 * 1024, 65_536
STATE: dict[str, Any] = {
    "ready": True,
    "metrics": True,
    "consumer": False,
    "subscribe": False,
    "answer": "SUCCESS",
    "crash": False,
    "eat": 0,
    "full": False,
} | json.loads(os.environ.get("STATE", "{}"))

events: Counter[str] = Counter({"SUCCESS": 0})
SLOW = (0.25, 0.5, 1.0)  # seconds, the bounds of the histogram of what POST /slow took
slow: Counter[float] = Counter()


def state() -> dict[str, Any]:
    """What it was told last."""
    try:
        told: dict[str, Any] = json.loads((VOLUME / "state").read_text())
    except FileNotFoundError:
        told = {}
    return STATE | told


def change(told: dict[str, Any]) -> None:
    """Keep what it is told, and do what is to be done at once."""
    unknown = set(told) - set(STATE)
    if unknown:
        raise ValueError(f"unknown: {sorted(unknown)}")
    (VOLUME / "filled").unlink(missing_ok=True)  # first: what is full takes no state either
    now = state() | told
    (VOLUME / "state").write_text(json.dumps(now))
    if now["full"]:
        fill()
    if told.get("crash") or told.get("eat"):
        threading.Timer(0.2, os._exit, [1]).start()  # after the answer


def fill() -> None:
    """Leave no room on the volume."""
    with suppress(OSError), (VOLUME / "filled").open("wb", buffering=0) as out:
        while True:
            out.write(bytes(BLOCK))


def metrics() -> str:
    """Its own figures, and those of its volume under the kubelet's names: the kubelet tells none of local volumes."""
    usage = shutil.disk_usage(VOLUME)
    claim = f'{{persistentvolumeclaim="{NAME}"}}'
    lines = [f"kubelet_volume_stats_capacity_bytes{claim} {usage.total}"]
    lines += [f"kubelet_volume_stats_available_bytes{claim} {usage.free}"]
    if state()["consumer"]:
        lines += [f'events_consumed_total{{type="drill",outcome="{outcome}"}} {n}' for outcome, n in events.items()]
    if slow:
        series = 'http_request_duration_seconds_{}{{method="POST",route="/slow"{}}} {}'
        for bound in SLOW:
            within = sum(n for took, n in slow.items() if took <= bound)
            lines.append(series.format("bucket", f',le="{bound}"', within))
        lines += [series.format("bucket", ',le="+Inf"', slow.total()), series.format("count", "", slow.total())]
    return "\n".join(lines) + "\n"


def publish(topic: str, count: int, size: int = 10) -> list[int]:
    """Publish so many events of that size through the sidecar; returns the statuses."""
    statuses = []
    for _ in range(count):
        request = urllib.request.Request(f"{SIDECAR}/{topic}?metadata.rawPayload=true", b"x" * size)
        request.add_header("Content-Type", "application/octet-stream")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                statuses.append(answer.status)
        except urllib.error.HTTPError as error:
            statuses.append(error.code)
    return statuses


class Http(BaseHTTPRequestHandler):
    """What the kubelet, Prometheus, the sidecar and the drill ask."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Probes, metrics, subscriptions."""
        now = state()
        topic = {"pubsubname": "pubsub", "topic": NAME, "route": "/events", "metadata": {"rawPayload": "true"}}
        answers = {
            "/healthz": (200, "ok"),
            "/readyz": (200 if now["ready"] else 503, "ready" if now["ready"] else "told not to be"),
            "/metrics": (200, metrics()) if now["metrics"] else (500, "told not to"),
            "/dapr/subscribe": (200, json.dumps([topic] if now["subscribe"] else [])),
        }
        self.answer(*answers.get(self.path, (404, "")))

    def do_POST(self) -> None:
        """Events, and what the drill tells."""
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if self.path == "/events":
                said = state()["answer"]
                events[said] += 1
                self.answer(200, json.dumps({"status": said}))
            elif self.path == "/state":
                change(json.loads(content))
                self.answer(200, json.dumps(state()))
            elif self.path == "/slow":
                seconds = float(json.loads(content)["seconds"])
                time.sleep(seconds)
                slow[seconds] += 1
                self.answer(200, "{}")
            elif self.path == "/publish":
                self.answer(200, json.dumps(publish(**json.loads(content))))
            else:
                self.answer(404, "")
        except (ValueError, TypeError, LookupError, OSError) as error:
            self.answer(400, f"{type(error).__name__}: {error}")

    def answer(self, status: int, body: str) -> None:
        """Send a response."""
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if body.startswith(("{", "[")) else "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Do at the start what was told before it, then serve."""
    told = state()
    if told["crash"]:
        sys.exit("told to end")
    eaten = bytearray(b"x") * (told["eat"] * MIB)  # noqa: F841 - it is there to be there
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8000"))), Http).serve_forever()


if __name__ == "__main__":
    main()
