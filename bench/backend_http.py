"""Requests per second and p95 of backend's routes on loopback, as a ratio to the same routes in bare Starlette.

Three processes beside this one: backend as its image runs it, on a PostgreSQL of its own; a bare Starlette app that
answers with the same JSON from memory, on the same server with the same settings; and the load: an asyncio client of
our own with kept connections (`wrk` is in Debian but cannot be counted on, and tells no p95 of a POST). A stub stands
for the sidecar, so that events are relayed as always. The two take turns, round by round, so that whatever else the
machine does meets both. Prints a table; --json keeps it all.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*sorted((ROOT / "services").glob("*/src")), ROOT / "services" / "_testkit"]
sys.path[:0] = [str(path) for path in SOURCES]

import httpx  # noqa: E402
import uvicorn  # noqa: E402
from starlette.applications import Starlette  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import JSONResponse, Response  # noqa: E402
from starlette.routing import Route  # noqa: E402

from testkit.postgresql import Postgresql, server  # noqa: E402
from testkit.settings import files_of_secrets  # noqa: E402
from testkit.tokens import Keys  # noqa: E402

TASKS = "/api/v1/tasks"
STORED = 100
CONTENT = {"title": "write the report", "description": "all of it", "priority": "high", "tags": ["home", "work"]}
DEADLINE_SECONDS = 60.0


def main() -> None:
    """Run the benchmark, or, as a process of it, the bare app."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each app on each route")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a turn")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--bare", type=int, metavar="PORT", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.bare:
        serve_bare(asked.bare)
    else:
        measure(asked)


def measure(asked: argparse.Namespace) -> None:
    """Start everything, take turns, print the table."""
    keys, ports = Keys(), {"backend": free_port(), "bare": free_port(), "sidecar": free_port()}
    with ExitStack() as stack:
        # Forked before anything else is open, and kept: a fresh one would spend a turn on its imports.
        loader = stack.enter_context(ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-bench-")))
        database = stack.enter_context(server())
        environment = backend_environment(database, files_of_secrets(scratch, keys), ports)
        service = [sys.executable, "-m", "servicekit"]
        subprocess.run([*service, "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL)
        for name in ("bare", "sidecar"):
            stack.enter_context(process([sys.executable, __file__, "--bare", str(ports[name])], dict(os.environ)))
        stack.enter_context(process(service, environment))
        token = keys.token("ann", seconds=86_400)
        paths = {name: prepared(ports[name], token) for name in ("bare", "backend")}
        found: dict[str, dict[str, list[Any]]] = {}
        for turn in range(asked.rounds + 1):
            for route in ("GET one", "GET list", "POST"):
                for name in ("bare", "backend") if turn % 2 else ("backend", "bare"):
                    path = paths[name] if route == "GET one" else TASKS
                    plan = {"port": ports[name], "method": route.split()[0], "path": path, "token": token,
                            "connections": asked.connections, "seconds": asked.seconds if turn else 1.0}  # fmt: skip
                    told = loader.submit(run_load, plan).result(plan["seconds"] + DEADLINE_SECONDS)
                    if turn:  # the first turn only warms up
                        found.setdefault(route, {}).setdefault(name, []).append(told)
    report({route: figures(turns) for route, turns in found.items()}, asked)


def figures(turns: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    """Return the medians over the rounds of one route, and the ratios of each round's pair."""
    row: dict[str, float] = {}
    for name, told in turns.items():
        row[f"{name} req/s"] = round(statistics.median(turn["rate"] for turn in told))
        row[f"{name} p95 ms"] = round(statistics.median(turn["p95"] for turn in told) * 1000, 1)
        row[f"{name} failed"] = sum(turn["failed"] for turn in told)
    pairs = list(zip(turns["backend"], turns["bare"], strict=True))
    row["req/s ratio"] = round(statistics.median(ours["rate"] / bare["rate"] for ours, bare in pairs), 3)
    row["p95 ratio"] = round(statistics.median(ours["p95"] / bare["p95"] for ours, bare in pairs), 2)
    return row


def report(rows: dict[str, dict[str, float]], asked: argparse.Namespace) -> None:
    """Print the table, and write it where asked."""
    print(f"{asked.connections} connections, {asked.rounds} rounds of {asked.seconds:g} s, {os.cpu_count()} cores; "
          "load: asyncio client of this file")  # fmt: skip
    names = next(iter(rows.values()))
    print(f"| route | {' | '.join(names)} |\n|{' --- |' * (len(names) + 1)}")
    for route, row in rows.items():
        print(f"| {route} | {' | '.join(str(row[name]) for name in names)} |")
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=2) + "\n")


def backend_environment(database: Postgresql, secrets: dict[str, object], ports: dict[str, int]) -> dict[str, str]:
    """Return the environment of backend, as its chart gives it."""
    values = {
        **database.address(),
        **secrets,
        "http_host": "127.0.0.1",
        "http_port": ports["backend"],
        "dapr_http_port": ports["sidecar"],
        "service_module": "backend",
    }
    kept = {name: os.environ[name] for name in ("PATH",)}
    path = os.pathsep.join(str(source) for source in SOURCES)
    return kept | {"PYTHONPATH": path} | {name.upper(): str(value) for name, value in values.items()}


def prepared(port: int, token: str) -> str:
    """Wait until an app answers, store tasks in it, and return the path of one."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=DEADLINE_SECONDS) as client:
        end = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                if client.get("/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if time.monotonic() > end:
                sys.exit(f"nothing is ready on port {port} within {DEADLINE_SECONDS:g} s")
            time.sleep(0.05)
        headers = {"Authorization": f"Bearer {token}"}
        for _ in range(STORED):
            response = client.post(TASKS, json=CONTENT, headers=headers).raise_for_status()
        return str(response.headers["location"])


def serve_bare(port: int) -> None:
    """Serve the same routes from memory; whatever else is posted is taken, as the sidecar takes events."""
    tasks: dict[str, dict[str, object]] = {}
    newest: list[dict[str, object]] = []

    async def create(request: Request) -> Response:
        content, now, task_id = await request.json(), datetime.now(UTC).isoformat(), str(uuid.uuid4())
        task = {"id": task_id, "owner": "ann", "due_at": None, **content, "completed": False, "completed_at": None,
                "recurrence": None, "timezone": None, "reminders": [], "series_id": None, "series_start": None,
                "occurrence": 1, "created_at": now, "updated_at": now, "version": 1}  # fmt: skip
        tasks[task_id] = task
        newest.insert(0, task)
        del newest[20:]
        return JSONResponse(task, 201, {"Location": f"{TASKS}/{task_id}", "ETag": '"1"'})

    async def read(request: Request) -> Response:
        return JSONResponse(tasks[request.path_params["task_id"]], headers={"ETag": '"1"'})

    async def page(_request: Request) -> Response:
        return JSONResponse({"items": newest, "next_cursor": "x"})

    async def taken(request: Request) -> Response:
        await request.body()
        return Response(status_code=204)

    async def ready(_request: Request) -> Response:
        return JSONResponse({"status": "ready"})

    app = Starlette(
        routes=[
            Route(TASKS, create, methods=["POST"]),
            Route(TASKS, page),
            Route(TASKS + "/{task_id}", read),
            Route("/readyz", ready),
            Route("/v1.0/publish/{rest:path}", taken, methods=["POST"]),
        ]
    )
    uvicorn.run(app, host="127.0.0.1", port=port, loop="asyncio", http="h11", access_log=False, log_level="warning")


def run_load(plan: dict[str, Any]) -> dict[str, float]:
    """Run one turn of the load and return what it found; called in a process of its own."""
    return asyncio.run(load(plan))


async def load(plan: dict[str, Any]) -> dict[str, float]:
    """Keep so many connections busy for so long; return the rate of good answers and their 95th percentile (s)."""
    body = json.dumps(CONTENT).encode() if plan["method"] == "POST" else b""
    request = (
        f"{plan['method']} {plan['path']} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {plan['token']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    times: list[float] = []
    failed: list[float] = []
    begin = time.perf_counter()
    end = begin + plan["seconds"]

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", plan["port"])
        while (started := time.perf_counter()) < end:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length))
            (times if head.startswith(b"http/1.1 20") else failed).append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(plan["connections"])))
    elapsed = time.perf_counter() - begin
    return {"rate": len(times) / elapsed, "p95": statistics.quantiles(times, n=20)[-1], "failed": len(failed)}


@contextmanager
def process(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """Run a process while the block does; what it writes goes nowhere."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as running:
        try:
            yield
        finally:
            running.terminate()


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
