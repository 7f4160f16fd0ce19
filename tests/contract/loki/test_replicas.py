"""Three Lokis as a cloud's profile renders them: they find each other, and one that is killed takes no line with it.

A folder stands for the bucket, and loopback addresses for the pods'; the rest is what the chart says.
"""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.charts.promtail import config_map
from tests.charts.rendering import Helm, merged
from tests.contract.programs import answers, free_ports, program, running, until

from sluice.adapters.loki.client import LokiLogs

pytestmark = pytest.mark.anyio

REPLICAS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
LINES = 500


def configuration(helm: Helm, folder: Path, address: str, ports: tuple[int, int, int]) -> dict[str, Any]:
    http, grpc, gossip = ports
    text = config_map(helm, "loki", "gke").replace("/var/loki", str(folder / address))
    config: dict[str, Any] = yaml.safe_load(text.replace("${POD_IP}", address))
    del config["common"]["storage"], config["ruler"]
    for period in config["schema_config"]["configs"]:
        period["object_store"] = "filesystem"
    here = {
        "server": {"http_listen_address": address, "http_listen_port": http,
                   "grpc_listen_address": address, "grpc_listen_port": grpc},
        # A pod's name is its host's.
        "common": {"ring": {"instance_id": address}, "storage": {"filesystem": {
            "chunks_directory": str(folder / "bucket"), "rules_directory": str(folder / "rules")}}},
        "memberlist": {"bind_addr": [address], "bind_port": gossip, "advertise_port": gossip,
                       "join_members": [f"{each}:{gossip}" for each in REPLICAS]},
        "compactor": {"delete_request_store": "filesystem"},
        "ingester": {"lifecycler": {"min_ready_duration": "0s"}},
    }  # fmt: skip
    return merged(config, here)


@pytest.fixture(scope="module")
def replicas(
    helm: Helm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[str, subprocess.Popen[bytes]]]]:
    folder, ports = tmp_path_factory.mktemp("replicas"), free_ports(3)
    with ExitStack() as stack:
        started = {}
        for address in REPLICAS:
            file = folder / f"{address}.yaml"
            config = configuration(helm, folder, address, (ports[0], ports[1], ports[2]))
            file.write_text(yaml.safe_dump(config), encoding="utf-8")
            url = f"http://{address}:{ports[0]}"
            argv: list[str | Path] = [program("loki"), f"-config.file={file}"]
            process = stack.enter_context(running(argv, ready=answers(f"{url}/ready"), log=folder / f"{address}.log"))
            started[address] = (url, process)
        yield started


async def test_a_replica_that_is_killed_takes_no_line_with_it(
    replicas: dict[str, tuple[str, subprocess.Popen[bytes]]],
) -> None:
    (first, _), (_, second), (third, _) = replicas.values()
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:

        async def all_are_there() -> bool:
            for url, _ in replicas.values():
                response = await client.get(f"{url}/ring", headers={"Accept": "application/json"})
                states = {shard["id"]: shard["state"] for shard in response.json()["shards"]}
                if states != dict.fromkeys(REPLICAS, "ACTIVE"):
                    return False
            return True

        await until(all_are_there, within=60)
        now = time.time()
        for number in range(LINES):
            values = [[str(int((now - 60) * 1e9) + number), json.dumps({"number": number})]]
            stream = {"stream": {"service": "s", "pod": f"p-{number % 20}"}, "values": values}
            response = await client.post(f"{first}/loki/api/v1/push", json={"streams": [stream]})
            assert response.status_code == 204, response.text
    second.send_signal(signal.SIGKILL)
    second.wait()
    async with httpx.AsyncClient(base_url=third, trust_env=False, timeout=30) as client:
        lines = await LokiLogs(client).lines('{service="s"}', start=now - 120, end=now)
    assert sorted(json.loads(line.text)["number"] for line in lines) == list(range(LINES))
