"""Times searches over a million log lines in a Loki on loopback that has the chart's own configuration.

Lines like those that the services write are pushed as the collector does, spread over the last hour; then Loki is
started anew, so that it has them in its storage and nothing in memory. Each query has to read all of the lines (Loki's
own count is looked at) and to give what was written. Prints a table, with what Loki took of a core for a query: on a
busy host that tells more than the time does. --json keeps all of it. Loki's program is that of SLUICE_BIN, or of
.sluice/tools/bin, where ./nox -s tests puts it.
"""

import argparse
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(os.environ.get("SLUICE_BIN") or ROOT / ".sluice" / "tools" / "bin")
DEADLINE_SECONDS = 120.0
BATCH = 4_000
SPAN_SECONDS = 3_600
USERS = 500
SERVICES = ("audit", "backend", "notification", "recurring-task", "sync")
DIGEST = "sha256:" + 64 * "0"


def main() -> None:
    """Fill a Loki, start it anew, search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as scratch:
        config = configuration(Path(scratch))
        with loki(config, Path(scratch)) as (client, _):
            begun = time.monotonic()
            needles, size, end = fill(client, asked.lines)
            filled = time.monotonic() - begun
        with loki(config, Path(scratch)) as (client, pid):
            # A process that has just started takes a moment to find its own scheduler.
            client.get("/loki/api/v1/query", params={"query": 'count_over_time({namespace="none"}[1s])'})
            found = [search(client, pid, query, needles, asked.lines, end) for query in range(asked.queries)]
    report(found, {"lines": asked.lines, "bytes": size, "seconds to fill": round(filled, 1)}, asked.json)


def configuration(scratch: Path) -> dict[str, Any]:
    """Return the chart's configuration of Loki for the local profile, with folders and ports of this machine."""
    charts = scratch / "helm"
    shutil.copytree(ROOT / "helm", charts, symlinks=True, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
    helm = [str(PROGRAMS / "helm")]
    subprocess.run([*helm, "dependency", "build", str(charts / "logging")], check=True, stdout=subprocess.DEVNULL)
    given = [
        f"--set-string=images.{name}.{key}={value}"
        for name in ("loki", "promtail")
        for key, value in (("repository", name), ("digest", DIGEST))
    ]
    shown = ["-s", "templates/loki-config.yaml", "--set=loki.ruler.enabled=false"]
    command = [*helm, "template", "logging", str(charts / "logging"), *given, *shown]
    rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    text = yaml.safe_load(rendered)["data"]["config.yaml"].replace("/var/loki", str(scratch / "data"))
    config: dict[str, Any] = yaml.safe_load(text)
    config["server"] |= {"http_listen_address": "127.0.0.1", "http_listen_port": free_port(), "log_level": "warn"}
    config["server"] |= {"grpc_listen_address": "127.0.0.1", "grpc_listen_port": free_port()}
    config["common"]["ring"]["instance_addr"] = "127.0.0.1"
    return config


@contextmanager
def loki(config: dict[str, Any], scratch: Path) -> Iterator[tuple[httpx.Client, int]]:
    """Run Loki while the block does, and give a client of it and its id; it is stopped as the kubelet does."""
    file = scratch / "loki.yaml"
    file.write_text(yaml.safe_dump(config))
    log = scratch / "loki.log"
    with log.open("wb") as output:
        process = subprocess.Popen([PROGRAMS / "loki", f"-config.file={file}"], stdout=output, stderr=output)
    address = f"http://127.0.0.1:{config['server']['http_listen_port']}"
    try:
        with httpx.Client(base_url=address, trust_env=False, timeout=DEADLINE_SECONDS) as client:
            until_ready(client, process, log)
            yield client, process.pid
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once Loki answers; leaves with its log's end when it ends or does not."""
    end = time.monotonic() + DEADLINE_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            if client.get("/ready").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    sys.exit(f"Loki is not ready:\n{log.read_text()[-2000:]}")


def fill(client: httpx.Client, count: int) -> tuple[dict[str, int], int, float]:
    """Push the lines; return how many lines each user has, the bytes of all lines, and when they end (s)."""
    chance, owned, size = random.Random(1), dict.fromkeys((f"user-{n:03}" for n in range(USERS)), 0), 0
    end = time.time()
    for first in range(0, count, BATCH):
        streams: dict[tuple[str, str, str], list[list[str]]] = {}
        for number in range(first, min(first + BATCH, count)):
            at = end - SPAN_SECONDS + (number + 1) * (SPAN_SECONDS - 1) / count
            user = f"user-{chance.randrange(USERS):03}"
            service, pod = chance.choice(SERVICES), chance.choice("ab")
            level = chance.choices(("INFO", "WARNING", "ERROR"), (95, 4, 1))[0]
            line = line_of(chance, at, service, level, user)
            owned[user] += 1
            size += len(line)
            streams.setdefault((service, pod, level), []).append([str(int(at * 1e9)), line])
        push(client, streams)
    return owned, size, end


def line_of(chance: random.Random, at: float, service: str, level: str, user: str) -> str:
    """Return one line as servicekit writes it."""
    return json.dumps(
        {
            "timestamp": datetime.fromtimestamp(at, UTC).isoformat(),
            "level": level,
            "service": service,
            "message": "request served",
            "request_id": f"{chance.getrandbits(128):032x}",
            "user_id": user,
            "trace_id": f"{chance.getrandbits(128):032x}",
            "method": chance.choice(("GET", "POST")),
            "route": chance.choice(("/api/v1/tasks", "/api/v1/tasks/{task_id}")),
            "status": 500 if level == "ERROR" else 200,
            "duration_seconds": round(chance.expovariate(200), 6),
        }
    )


def push(client: httpx.Client, streams: dict[tuple[str, str, str], list[list[str]]]) -> None:
    """Send one batch, again while Loki says that it is too much at once, as the collector does."""
    body = {
        "streams": [
            {
                "stream": {
                    "namespace": "default",
                    "service": service,
                    "pod": f"{service}-{pod}",
                    "container": service,
                    "level": level,
                },
                "values": values,
            }
            for (service, pod, level), values in streams.items()
        ]
    }
    end = time.monotonic() + DEADLINE_SECONDS
    while (response := client.post("/loki/api/v1/push", json=body)).status_code == 429 and time.monotonic() < end:
        time.sleep(0.2)
    response.raise_for_status()


def search(
    client: httpx.Client, pid: int, number: int, owned: dict[str, int], lines: int, end: float
) -> dict[str, Any]:
    """Search once; return the kind of query and its seconds. Leaves where the answer is wrong or not all was read."""
    user = f"user-{number * 17 % USERS:03}"
    kinds = {
        "text that no line has": (f'{{namespace="default"}} |= "no-such-request-{number}"', 0),
        "a user, JSON parsed": (
            f'{{namespace="default"}} |= "{user}" | json | user_id="{user}"',
            min(owned[user], 5000),
        ),
        "a pattern": (
            f'{{namespace="default"}} |~ "user_id\\": \\"{user}.*status\\": (200|500)"',
            min(owned[user], 5000),
        ),
        "counted over an hour": (f'sum(count_over_time({{namespace="default"}} |= "{user}" [1h]))', owned[user]),
    }
    kind = list(kinds)[number % len(kinds)]
    query, expected = kinds[kind]
    params = {
        "query": query,
        "start": str(int((end - SPAN_SECONDS) * 1e9)),
        "end": str(int(end * 1e9)),
        "limit": "5000",
    }
    instant = kind.startswith("counted")
    path = "/loki/api/v1/query" if instant else "/loki/api/v1/query_range"
    begun, used = time.perf_counter(), cpu(pid)
    response = client.get(path, params={"query": query, "time": params["end"]} if instant else params)
    seconds, used = time.perf_counter() - begun, cpu(pid) - used
    data = response.raise_for_status().json()["data"]
    seen = int(data["result"][0]["value"][1]) if instant else sum(len(each["values"]) for each in data["result"])
    read = data["stats"]["summary"]["totalLinesProcessed"]
    if seen != expected or read < lines:
        sys.exit(f"{query}: {seen} found, expected {expected}; {read} of {lines} lines read")
    return {"kind": kind, "seconds": round(seconds, 3), "cpu seconds": round(used, 2), "lines read": read}


def cpu(pid: int) -> float:
    """Return the seconds of a core that a process has had (proc_pid_stat(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(found: list[dict[str, Any]], filled: dict[str, float], file: Path | None) -> None:
    """Print the table, and write it where asked."""
    times = [each["seconds"] for each in found]
    p95 = statistics.quantiles(times, n=20, method="inclusive")[-1]
    print(f"{filled['lines']:,} lines, {filled['bytes'] / 2**20:.0f} MiB, filled in {filled['seconds to fill']} s; "
          f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    print("| query | times | median s | slowest s | core s |\n| --- | --- | --- | --- | --- |")
    for kind in dict.fromkeys(each["kind"] for each in found):
        own = [each["seconds"] for each in found if each["kind"] == kind]
        used = statistics.median(each["cpu seconds"] for each in found if each["kind"] == kind)
        print(f"| {kind} | {len(own)} | {statistics.median(own):.2f} | {max(own):.2f} | {used:.2f} |")
    print(f"p95 of {len(times)} queries: {p95:.2f} s")
    if file:
        file.write_text(json.dumps({"filled": filled, "queries": found, "p95": p95}, indent=2) + "\n")


if __name__ == "__main__":
    main()
