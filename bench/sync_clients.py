"""Holds WebSocket clients on one replica of sync, on loopback: memory a client, and how late changes arrive.

The replica, its PostgreSQL and the clients are processes of their own. Events come at a steady rate, as the sidecar
delivers them, each for a user at random. The delay is from an event's own time to its arrival at a client, over all
clients: the delivery, the transaction, the notification, the read and the send are all in it. Memory is the replica's
resident set with all clients connected, less that before them, by their number. Prints a table; --json keeps it all.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*sorted((ROOT / "services").glob("*/src")), ROOT / "services" / "_testkit"]
sys.path[:0] = [str(path) for path in SOURCES]

import httpx  # noqa: E402
from websockets.asyncio.client import connect  # noqa: E402

from servicekit.events import TASK_CREATED  # noqa: E402
from testkit.events import changed, deliver, snapshot  # noqa: E402
from testkit.postgresql import Postgresql, server  # noqa: E402
from testkit.settings import files_of_secrets  # noqa: E402
from testkit.tokens import Keys  # noqa: E402

DEADLINE_SECONDS = 120.0
FILES = 8_192
PARTITIONS = 3  # of a topic, in our Kafka


def main() -> None:
    """Run the benchmark, or, as a process of it, some of its clients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=2_000)
    parser.add_argument("--users", type=int, default=1_000, help="whom the clients belong to, in turn")
    parser.add_argument("--rate", type=float, default=25.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long events come")
    parser.add_argument("--processes", type=int, default=4, help="processes that the clients live in")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--hold", type=int, metavar="PORT", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, FILES), hard))
    if asked.hold:
        asyncio.run(hold(asked.hold))
        return
    keys, port = Keys(), free_port()
    with server() as database, tempfile.TemporaryDirectory(prefix="sluice-bench-") as scratch:
        environment = environment_of(database, files_of_secrets(Path(scratch), keys), port)
        with replica_of(environment, Path(scratch) / "sync.log") as replica:
            figures = asyncio.run(measure(asked, replica, port, keys))
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")
    print("| " + " | ".join(figures) + " |\n|" + " --- |" * len(figures))
    print("| " + " | ".join(str(value) for value in figures.values()) + " |")


async def measure(
    asked: argparse.Namespace, replica: subprocess.Popen[bytes], port: int, keys: Keys
) -> dict[str, float]:
    """Connect the clients, send the events, and return the figures."""
    users = [f"user-{number}" for number in range(asked.users)]
    tokens = [keys.token(users[number % len(users)], seconds=86_400) for number in range(asked.clients)]
    workers: list[asyncio.subprocess.Process] = []
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as http:
            await until_ready(http, replica)
            # Code that only runs with a client is loaded, and tables are warm, before memory is read.
            await warm_up(http, port, keys)
            before = resident(replica.pid)
            for one in range(asked.processes):
                workers.append(await client_process(port))
                await connect_all(workers[-1], tokens[one :: asked.processes])
            connected = resident(replica.pid)
            idle = await cpu_percent(replica.pid, asyncio.sleep(asked.seconds))
            started = time.monotonic()
            publishing = asyncio.create_task(publish(http, users, asked.rate, asked.seconds))
            busy = await cpu_percent(replica.pid, publishing)
            sent, seconds = publishing.result(), time.monotonic() - started
            after = resident(replica.pid)
            delays = sorted([delay for worker in workers for delay in await finish(worker)])
    finally:
        for worker in workers:
            if worker.returncode is None:
                worker.kill()
    clients_of = [len(range(user, asked.clients, asked.users)) for user in range(asked.users)]
    quantiles = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {
        "clients": asked.clients,
        "users": asked.users,
        "events/s": round(len(sent) / seconds, 1),
        "changes received": len(delays),
        "of": sum(clients_of[user] for user in sent),
        **{f"{name} ms": round(1000 * quantile(delays, q), 1) for name, q in quantiles.items()},
        "KiB a client": round((connected - before) / asked.clients, 1),
        "RSS before MiB": round(before / 1024, 1),
        "with clients MiB": round(connected / 1024, 1),
        "after the events MiB": round(after / 1024, 1),
        "CPU % idle": round(idle),
        "CPU % with events": round(busy),
    }


@contextmanager
def replica_of(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a replica on a migrated database."""
    sync = [sys.executable, "-m", "sync"]
    with log.open("wb") as lines:
        subprocess.run([*sync, "migrate"], env=environment, stdout=lines, check=True)
        with subprocess.Popen(sync, env=environment, stdout=lines) as replica:
            try:
                yield replica
            finally:
                replica.terminate()


def environment_of(database: Postgresql, secrets: dict[str, object], port: int) -> dict[str, str]:
    """Return the environment of the replica."""
    values = {**secrets, **database.address(), "http_port": port, "http_host": "127.0.0.1", "max_connections": FILES}
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(str(path) for path in SOURCES),
        "PYTHONUNBUFFERED": "1",
        **{name.upper(): str(value) for name, value in values.items()},
    }


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until_ready(http: httpx.AsyncClient, replica: subprocess.Popen[bytes]) -> None:
    """Wait for readiness, and for the listener."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while replica.poll() is None:
            try:
                ready = (await http.get("/readyz")).is_success
                if ready and "websocket_listener_connected 1.0" in (await http.get("/metrics")).text:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError(f"the replica ended with status {replica.returncode}")


async def warm_up(http: httpx.AsyncClient, port: int, keys: Keys) -> None:
    """Have a few clients come, get a change, and go."""
    for _ in range(20):
        headers = keys.headers("warm")
        async with connect(address(port), additional_headers=headers, proxy=None, compression=None) as connection:
            await connection.recv()
            await deliver(http, "tasks", changed(TASK_CREATED, snapshot("warm")))
            await connection.recv()


def address(port: int) -> str:
    """Where the WebSocket is."""
    return f"ws://127.0.0.1:{port}/api/v1/sync"


async def publish(http: httpx.AsyncClient, users: list[str], rate: float, seconds: float) -> list[int]:
    """Make events at a steady rate and deliver them as the sidecar does; return whose they were, by number.

    Each partition's events wait for one another, and an event is delivered until it is taken: where the replica does
    not keep up, the delays show it.
    """
    chance, clock = random.Random(4), asyncio.get_running_loop().time
    sent = [chance.randrange(len(users)) for _ in range(round(rate * seconds))]
    partitions = [asyncio.Queue[dict[str, Any] | None]() for _ in range(PARTITIONS)]

    async def sidecar(partition: asyncio.Queue[dict[str, Any] | None]) -> None:
        while event := await partition.get():
            while await deliver(http, "tasks", event) != "SUCCESS":
                await asyncio.sleep(0.5)

    async with asyncio.TaskGroup() as group:
        for partition in partitions:
            group.create_task(sidecar(partition))
        started = clock()
        for number, user in enumerate(sent):
            await asyncio.sleep(max(started + number / rate - clock(), 0))
            event = changed(TASK_CREATED, snapshot(users[user], description="as long as a description often is. " * 10))
            partitions[user % PARTITIONS].put_nowait(event)
        for partition in partitions:
            partition.put_nowait(None)
    return sent


async def client_process(port: int) -> asyncio.subprocess.Process:
    """Start a process for clients."""
    program = [sys.executable, __file__, "--hold", str(port)]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*program, stdin=pipe, stdout=pipe, limit=2**26)


async def connect_all(process: asyncio.subprocess.Process, tokens: list[str]) -> None:
    """Have a process connect a client for each token, and wait until all are."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(tokens).encode() + b"\n")
    async with asyncio.timeout(DEADLINE_SECONDS):
        line = await process.stdout.readline()
    if line != b"connected\n":
        raise RuntimeError(f"the clients did not connect; they said {line!r}")


async def finish(process: asyncio.subprocess.Process) -> list[float]:
    """Have a process of clients close, and return the delays that they saw."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"finish\n")
    async with asyncio.timeout(DEADLINE_SECONDS):
        delays: list[float] = json.loads(await process.stdout.readline())
        await process.wait()
    return delays


async def hold(port: int) -> None:
    """Connect with the tokens that stdin holds, read until stdin says to finish, and write the delays in seconds."""
    commands = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    tokens, delays = json.loads(await commands.readline()), list[float]()
    ready = asyncio.Barrier(len(tokens) + 1)
    coming = asyncio.Semaphore(50)

    async def client(token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        options = {"proxy": None, "compression": None, "ping_interval": None, "open_timeout": DEADLINE_SECONDS}
        async with coming:
            connection = await connect(address(port), additional_headers=headers, **options)  # type: ignore[arg-type]
            await connection.recv()
        await ready.wait()
        async for text in connection:
            message = json.loads(text)
            if message["type"] == "change":
                delays.append(time.time() - datetime.fromisoformat(message["event"]["time"]).timestamp())
        raise RuntimeError(f"the replica closed a connection with {connection.close_code}: {connection.close_reason}")

    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(client(token)) for token in tokens]
        await ready.wait()
        print("connected", flush=True)
        await commands.readline()
        await asyncio.sleep(1.0)  # what is still on its way
        for task in clients:
            task.cancel()
    print(json.dumps(delays), flush=True)


def quantile(ordered: list[float], q: float) -> float:
    """Return the value below which a share `q` of them lies."""
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)]


def resident(pid: int) -> int:
    """Return a process' resident set in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


async def cpu_percent(pid: int, work: Awaitable[object]) -> float:
    """Return the share of one processor that a process takes while something is awaited."""

    def seconds() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before, started = seconds(), time.monotonic()
    await work
    return 100 * (seconds() - before) / (time.monotonic() - started)


if __name__ == "__main__":
    main()
