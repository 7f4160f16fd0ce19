"""adapters/prometheus/alertmanager against a real Alertmanager: what it runs with, and whom it knows."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from tests.contract.programs import answers, free_ports, program, running, until

from sluice.adapters.prometheus.alertmanager import AlertmanagerApi

pytestmark = pytest.mark.anyio
CONFIG = """
route:
  receiver: on-call
  routes:
    - {matchers: ['severity =~ "info|none"'], receiver: nobody}
receivers:
  - name: nobody
  - name: on-call
    webhook_configs: [{url: "http://127.0.0.1:9/hunter2"}]
"""


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Two that know each other, and one that is alone."""
    folder = tmp_path_factory.mktemp("alertmanagers")
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    *http, first, second = free_ports(5)
    gossip = [first, second]
    urls = [f"http://127.0.0.1:{port}" for port in http]
    with ExitStack() as stack:
        for number, port in enumerate(http):
            argv: list[str | Path] = [program("alertmanager"), f"--config.file={folder / 'config.yaml'}"]
            argv += [f"--storage.path={folder / str(number)}", f"--web.listen-address=127.0.0.1:{port}"]
            if number < len(gossip):
                argv += [f"--cluster.listen-address=127.0.0.1:{gossip[number]}"]
                argv += [f"--cluster.peer=127.0.0.1:{gossip[0]}"]
            else:
                argv += ["--cluster.listen-address="]
            log = folder / f"{number}.log"
            stack.enter_context(running(argv, ready=answers(f"{urls[number]}/-/healthy"), log=log))
        yield urls


@pytest.fixture
async def statuses(addresses: list[str]) -> AsyncIterator[list[AlertmanagerApi]]:
    async with (
        httpx.AsyncClient(base_url=addresses[0], trust_env=False) as one,
        httpx.AsyncClient(base_url=addresses[2], trust_env=False) as alone,
    ):
        yield [AlertmanagerApi(one), AlertmanagerApi(alone)]


async def test_its_configuration_is_told_and_no_secret_of_it(statuses: list[AlertmanagerApi]) -> None:
    config = (await statuses[0].status())[0]
    assert config["route"]["receiver"] == "on-call"
    assert config["route"]["routes"][0]["matchers"] == ['severity=~"info|none"']
    receivers = {one["name"]: one for one in config["receivers"]}
    assert receivers["on-call"]["webhook_configs"]
    assert "webhook_configs" not in receivers["nobody"]
    assert "hunter2" not in str(config)


async def test_it_knows_its_peers_or_is_alone(statuses: list[AlertmanagerApi]) -> None:
    async def both() -> bool:
        return (await statuses[0].status())[1] == 2

    await until(both)
    assert (await statuses[1].status())[1] == 1
