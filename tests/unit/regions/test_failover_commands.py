"""`failover` and `regions`: in which order a switch is measured, what is said of it in each form, and how each ends."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.regions.test_failover_figures import GOOD, lossy
from tests.unit.regions.test_region_gate import GONE, WEST
from typer.testing import CliRunner, Result

from sluice.domain import Source
from sluice.entrypoints import cli, failover_command, regions_command
from sluice.errors import FailoverRefused
from sluice.failing_over import Switch
from sluice.regions import page
from sluice.regions.active import Active
from sluice.regions.gate import Reasons

SOURCE = Source("/tree", "r", dirty=False, digest="", services=(), fixtures=())


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a switch did; the tree has a page with its places."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_RUN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "docs").mkdir()
    places = ["\n".join(page.marks_of(planned=planned)) for planned in (True, False)]
    (tmp_path / page.PAGE).write_text("\n".join(places))
    done: list[str] = []

    class Box:
        def __init__(self, *_: Any) -> None:
            pass

        async def resolve_source(self) -> Source:
            return SOURCE

        def check_disk(self, name: str) -> None:
            assert name in ("sluice-east", "sluice-west")

    class FakeFailover:
        def __init__(self, _: Any, target: str, *, force: bool) -> None:
            self.target, self.force = target, force

        def state(self) -> Switch:
            return Switch(self.target, epoch=2 if "again" in done else 0)

        def check_name(self) -> None:
            done.append("name")

        async def check(self, _: Source, *, lost: bool = False) -> Reasons:
            done.append("check lost" if lost else "check")
            if "lagging" in done and not self.force:
                raise FailoverRefused("west may not become the active region", ["too far behind", "no mirror"])
            return Reasons(lag=("east is gone",) if lost else ())

        def decide(self, reasons: Reasons, *, began: float) -> Switch:
            done.append("decide")
            return Switch(self.target, 2, began, forced=reasons.lag)

        async def undo(self, _: Source, state: Switch) -> Active:
            done.append("undo")
            return Active("east", 1)

        async def go(self, _: Source, state: Switch) -> Switch:
            done.append("go")
            return replace(state, unreachable="refused" if state.forced else "")

    class FakeLoad:
        def __init__(self, *_: Any) -> None:
            pass

        def check(self) -> None:
            pass

        @asynccontextmanager
        async def writing(self, _: Source) -> AsyncIterator[None]:
            done.append("client begins")
            yield
            done.append("client ends")

        async def begun(self) -> None:
            done.append("marks")

        async def went_on(self, _: Switch) -> None:
            done.append("more marks")

        async def figures(self, _: Source, state: Switch) -> Any:
            if "bad" in done:
                return replace(lossy(8, 9), planned=True)
            return lossy(8, 9) if state.unreachable else GOOD

    async def kill(region: str) -> None:
        done.append(f"kill {region}")

    monkeypatch.setattr(failover_command, "Toolbox", Box)
    monkeypatch.setattr(regions_command, "Toolbox", Box)
    monkeypatch.setattr(failover_command, "Failover", FakeFailover)
    monkeypatch.setattr(failover_command, "Load", FakeLoad)

    def tools(home: Path, settings: Any, run: Any, box: Box) -> Any:
        return SimpleNamespace(home=home, settings=settings, run=run, box=box, kill=kill)

    monkeypatch.setattr(failover_command, "RegionTools", tools)
    monkeypatch.setattr(regions_command, "RegionTools", tools)
    return done


def sluice(*arguments: str) -> Result:
    result = CliRunner().invoke(cli.app, list(arguments))
    assert "Traceback" not in result.output
    return result


def test_a_planned_switch_is_measured_by_a_client_that_was_there_before_and_after(log: list[str]) -> None:
    result = sluice("failover", "--to", "west")
    assert result.exit_code == 0, result.output
    assert log == ["name", "client begins", "marks", "check", "decide", "go", "more marks", "client ends"]
    assert "Nothing was lost of 10 acknowledged writes." in result.output
    assert page.section(GOOD) in Path(page.PAGE).read_text()


def test_a_region_that_is_lost_on_purpose_is_asked_before_and_after(log: list[str]) -> None:
    result = sluice("failover", "--to", "west", "--kill-active", "--force")
    assert result.exit_code == 0, result.output
    assert log[2:7] == ["marks", "check", "kill east", "check lost", "decide"]
    assert "east could not be fenced: refused" in result.output
    assert page.section(lossy(8, 9)) in Path(page.PAGE).read_text()


@pytest.mark.parametrize("arguments", [("--kill-active",), ("--kill-active", "--force", "--no-load")])
def test_nothing_is_killed_where_nobody_counts_what_is_lost(log: list[str], arguments: tuple[str, ...]) -> None:
    result = sluice("failover", "--to", "west", *arguments)
    assert result.exit_code == 2
    assert "--kill-active --force" in result.output
    assert log == []


def test_one_that_goes_on_is_not_asked_again(log: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "failover"
    folder.mkdir()
    log.append("again")
    assert sluice("failover", "--to", "west", "--again", str(folder)).exit_code == 0
    assert log[1:] == ["client begins", "go", "more marks", "client ends"]


def test_one_may_be_undone_which_is_no_switch_and_has_no_figures(log: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "failover"
    folder.mkdir()
    result = sluice("failover", "--to", "west", "--undo")
    assert result.exit_code == 2
    assert "--undo --again DIR" in result.output
    result = sluice("failover", "--to", "west", "--undo", "--again", str(folder))
    assert result.exit_code == 0
    assert "east is active again (epoch 1)" in result.output
    assert log == ["undo"]


def test_a_refusal_tells_every_reason_and_is_no_failure_of_the_tree(log: list[str]) -> None:
    log.append("lagging")
    result = sluice("failover", "--to", "west")
    assert result.exit_code == 2
    assert "too far behind" in result.output
    assert "no mirror" in result.output
    assert "go" not in log


def test_a_planned_switch_that_lost_something_ends_with_1(log: list[str]) -> None:
    log.append("bad")
    result = sluice("failover", "--to", "west", "-q")
    assert result.exit_code == 1
    assert "a planned switch lost 2 acknowledged writes" in result.output
    assert "| step |" not in result.output


def test_as_json_it_has_state_figures_and_what_is_against_them(log: list[str]) -> None:
    result = sluice("failover", "--to", "west", "--json")
    data = json.loads(result.stdout.splitlines()[-1])["data"]
    assert data["switch"]["epoch"] == 2
    assert data["figures"]["silent_seconds"] == GOOD.silent_seconds
    assert data["against"] == []


def test_without_a_client_there_are_no_figures(log: list[str]) -> None:
    before = Path(page.PAGE).read_text()
    result = sluice("failover", "--to", "west", "--no-load")
    assert result.exit_code == 0
    assert log == ["name", "check", "decide", "go"]
    assert "regions -- up makes a standby of east" in result.output
    assert Path(page.PAGE).read_text() == before


class FakeRegions:
    """What `regions` does, which is nothing."""

    def __init__(self, *_: Any) -> None:
        pass

    async def up(self) -> Active:
        return Active("east", 3)

    async def down(self) -> list[str]:
        return []

    async def status(self) -> tuple[Active, list[Any]]:
        return Active("east", 3), [GONE, WEST]


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("up", ["east is active (epoch 3), west follows it", "./nox -s failover -- --to west"]),
        ("down", ["there are no regions"]),
        ("status", ["east (active)", "cannot be asked: connection refused", "follows, at 4999000", "standby"]),
    ],
)
def test_regions_says_what_was_done(
    log: list[str], monkeypatch: pytest.MonkeyPatch, action: str, said: list[str]
) -> None:
    monkeypatch.setattr(regions_command, "Regions", FakeRegions)
    monkeypatch.setenv("COLUMNS", "200")
    result = sluice("regions", action)
    assert result.exit_code == 0, result.output
    assert [one for one in said if one not in result.output] == []
    as_json = json.loads(sluice("regions", action, "--json").stdout.splitlines()[-1])
    assert as_json["data"]["action"] == action
