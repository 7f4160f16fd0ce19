"""doctor: each line tells what was seen, and what lacks or falls short comes with its cure."""

import socket
from pathlib import Path

import pytest
from rich.console import Console

from sluice import doctor
from sluice.adapters import host
from sluice.adapters.docker import engine
from sluice.doctor import Finding
from sluice.settings import Settings
from sluice.supply import upstream

pytestmark = pytest.mark.anyio


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path, free_port: int) -> Settings:
    return Settings.model_validate(
        {
            "cluster": {"registry_port": free_port},
            "supply": {"mode": "source"},
            "run": {"cache": str(tmp_path), "disk_floor_gb": 0},
        }
    )


@pytest.fixture(autouse=True)
def nothing_on_this_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def silent(*_: object) -> bool:
        return False

    monkeypatch.setattr(engine, "answers", silent)
    monkeypatch.setattr(upstream, "answers", silent)
    monkeypatch.setattr(host, "missing_capabilities", lambda: ())
    monkeypatch.setattr(host, "is_root", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))


async def found(settings: Settings, what: str) -> Finding:
    [finding] = [finding for finding in await doctor.examine(settings) if finding.what == what]
    return finding


async def test_no_engine_and_no_right_to_start_one_stops_a_run(settings: Settings) -> None:
    finding = await found(settings, "container engine")
    assert finding.state == "lacks"
    assert "apt-get install docker.io" in finding.cure


async def test_root_on_debian_can_have_an_engine(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "is_root", lambda: True)
    monkeypatch.setattr(host, "is_debian", lambda: True)
    finding = await found(settings, "container engine")
    assert (finding.state, finding.seen) == ("short", "none")
    assert "--no-install" in finding.cure


async def test_without_go_only_upstream_is_left(settings: Settings) -> None:
    finding = await found(settings, "Go")
    assert finding.state == "short"
    assert "registry is reachable" in finding.cure


@pytest.mark.parametrize(("debian", "cure"), [(True, "installs Debian's maven"), (False, "in a container")])
async def test_without_maven_it_is_installed_where_that_is_possible(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, debian: bool, cure: str
) -> None:
    monkeypatch.setattr(host, "is_root", lambda: debian)
    monkeypatch.setattr(host, "is_debian", lambda: debian)
    finding = await found(settings, "Maven")
    assert finding.state == "short"
    assert cure in finding.cure
    (tmp_path / "mvn").touch(mode=0o755)
    assert (await found(settings, "Maven")).state == "has"


async def test_a_short_bounding_set_is_named_by_its_bits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "missing_capabilities", lambda: (24, 39))
    finding = await found(settings, "capabilities")
    assert finding.state == "short"
    assert "24, 39" in finding.seen


@pytest.mark.parametrize(("free_gb", "floor_gb", "state"), [(30, 20, "has"), (19, 20, "lacks")])
async def test_the_disk_is_held_to_the_settings_floor(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, free_gb: int, floor_gb: int, state: str
) -> None:
    monkeypatch.setattr(host, "free_bytes", lambda _: free_gb * 10**9)
    run = settings.run.model_copy(update={"disk_floor_gb": floor_gb})
    finding = await found(settings.model_copy(update={"run": run}), "disk")
    assert finding.state == state
    assert finding.seen.startswith(f"{free_gb} GB free for ")
    assert ("SLUICE_RUN_CACHE" in finding.cure) == (state == "lacks")


async def test_a_port_that_another_program_holds_is_told_with_the_way_around(settings: Settings) -> None:
    assert (await found(settings, "registry port")).state == "has"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.cluster.registry_port))
        taken.listen()
        finding = await found(settings, "registry port")
    assert finding.state == "lacks"
    assert finding.seen == f"{settings.cluster.registry_port} is taken by another program"
    assert "SLUICE_CLUSTER_REGISTRY_PORT" in finding.cure


async def test_silent_registries_are_named_unless_nobody_asks_them(settings: Settings) -> None:
    assert (await found(settings, "upstream registries")).state == "has"
    supply = settings.supply.model_copy(update={"mode": "auto"})
    finding = await found(settings.model_copy(update={"supply": supply}), "upstream registries")
    assert finding.state == "short"
    assert finding.seen.startswith("no answer from ")
    assert "built from source" in finding.cure


async def test_every_line_that_is_not_whole_has_a_cure_and_the_table_shows_it(settings: Settings) -> None:
    findings = await doctor.examine(settings)
    assert [one.what for one in findings if one.state != "has" and not one.cure] == []
    console = Console(width=200, record=True)
    console.print(doctor.table(findings))
    text = console.export_text()
    assert "✗ │ container engine" in text
    assert "usermod -aG docker" in text
