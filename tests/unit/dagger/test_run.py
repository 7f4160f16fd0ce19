"""`--runtime dagger` from the host: what the engine is asked, what becomes of its answer; and the offline folder."""

import json
import os
import shutil
from pathlib import Path

import dagger
import gql
import pytest
from tests.unit.dagger.session import Call, FakeSession, session
from tests.unit.gate.stored_run import FOLDER, sound

from sluice.adapters.dagger_engine import presence
from sluice.adapters.dagger_engine.offline import lay_out
from sluice.adapters.dagger_engine.toolbox import LEFT_OUT
from sluice.domain import Component, dump
from sluice.entrypoints import dagger_run
from sluice.errors import CommandFailed
from sluice.policy import load_policy
from sluice.standing import load_baselines
from sluice.steps.evaluate_gate import evaluate_gate

__all__ = ["session"]

pytestmark = pytest.mark.anyio


@pytest.fixture
def inside(session: FakeSession, monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    """A process that is in a session already, as in `dagger run`."""

    async def nothing() -> None:
        return None

    monkeypatch.setenv("DAGGER_SESSION_PORT", "1")
    monkeypatch.setattr(dagger, "connect", nothing)
    monkeypatch.setattr(dagger, "close", nothing)
    return session


def exports(evidence: dict[str, object] | None, status: str = "0") -> object:
    def export(asked: list[Call]) -> str:
        folder = Path(asked[-1].args["path"])
        folder.mkdir()
        (folder / "exit-status").write_text(f"{status}\n")
        if evidence is not None:
            (folder / "evidence.json").write_text(json.dumps(evidence))
        return str(folder)

    return export


async def call(home: Path, offline: Path | None = None) -> Path:
    return await dagger_run.e2e(home.parent, home, suites=["api"], supply="source", offline=offline, say=lambda _: None)


async def test_the_evidence_of_a_run_gets_its_name_and_is_the_latest(inside: FakeSession, tmp_path: Path) -> None:
    inside.answers["export"] = exports({"run_id": "20260101T000000Z-ab12"}, status="1")
    home = tmp_path / ".sluice"
    folder = await call(home)
    assert folder == home / "runs" / "20260101T000000Z-ab12"
    assert (folder / "exit-status").read_text() == "1\n", "a failed run is settled as any other"
    assert (home / "latest").resolve() == folder.resolve()
    assert [path.name for path in (home / "runs").iterdir()] == [folder.name]


async def test_the_same_line_is_asked_for_as_by_the_module(inside: FakeSession, tmp_path: Path) -> None:
    inside.answers["export"] = exports({"run_id": "one"})
    await call(tmp_path / ".sluice", offline=tmp_path / "offline")
    run = [one for one in inside.asked[-1] if one.name == "withExec"][-1]
    assert run.args["args"][3:] == ["e2e", "--supply", "source", "--suite", "api"]
    source = [one for one in inside.asked[-1] if one.name == "withDirectory"][-1].args["source"]
    assert source._ctx.selections[-1].args == {"path": str(tmp_path), "exclude": LEFT_OUT}


async def test_passed_releases_go_in_and_a_run_that_passes_becomes_one(inside: FakeSession, tmp_path: Path) -> None:
    home = tmp_path / ".sluice"
    found = sound()

    def export(asked: list[Call]) -> str:
        folder = Path(asked[-1].args["path"])
        shutil.copytree(FOLDER, folder)
        (folder / "exit-status").write_text("0\n")
        (folder / "evidence.json").write_bytes(dump(found))
        (folder / "verdict.json").write_bytes(dump(evaluate_gate(load_policy(FOLDER / "policy.toml"), found)))
        return str(folder)

    inside.answers["export"] = export
    await call(home)
    assert [one.run_id for one in load_baselines(home, 5)] == [found.run_id]
    assert not any(str(one.args.get("path")).endswith("/baselines") for one in inside.asked[-1]), "there were none yet"
    inside.answers["export"] = exports({"run_id": "two"})
    await call(home)
    given = [one for one in inside.asked[-1] if one.name == "withDirectory"][-1].args
    assert given["path"].endswith("/.sluice/baselines")
    assert given["source"]._ctx.selections[-1].args == {"path": str(home / "baselines")}


async def test_a_run_without_evidence_is_an_error_with_its_status(inside: FakeSession, tmp_path: Path) -> None:
    inside.answers["export"] = exports(None, status="2")
    with pytest.raises(CommandFailed) as caught:
        await call(tmp_path / ".sluice")
    assert caught.value.status == 2
    assert not (tmp_path / ".sluice" / "latest").exists()


async def test_an_engine_that_cannot_run_the_line_says_why(inside: FakeSession, tmp_path: Path) -> None:
    value = dagger._exceptions.QueryErrorValue("failed to resolve docker.io/library/python")
    inside.answers["export"] = dagger.QueryError([value], gql.gql("{ container }"))
    with pytest.raises(CommandFailed) as caught:
        await call(tmp_path / ".sluice")
    assert "failed to resolve" in caught.value.seen


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"DAGGER_SESSION_PORT": "1"}, True),
        ({"_EXPERIMENTAL_DAGGER_RUNNER_HOST": "unix:///e.sock", "_EXPERIMENTAL_DAGGER_CLI_BIN": "/d"}, True),
        ({"_EXPERIMENTAL_DAGGER_CLI_BIN": "/d"}, False),
    ],
    ids=["nothing", "a session", "an engine and a command line", "no engine"],
)
def test_an_engine_is_at_hand_where_one_is_named(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: bool
) -> None:
    for name in ("DAGGER_SESSION_PORT", "_EXPERIMENTAL_DAGGER_RUNNER_HOST", "_EXPERIMENTAL_DAGGER_CLI_BIN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert presence.reachable() is expected


def test_the_toolbox_knows_that_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_TOOLBOX", raising=False)
    assert not presence.inside()
    monkeypatch.setenv("SLUICE_TOOLBOX", "1")
    assert presence.inside()


def obtained(cache: Path, name: str, key: str) -> Component:
    folder = cache / name / key
    (folder / "artifact").mkdir(parents=True)
    (folder / "artifact" / "image.tar").write_text(key)
    component = Component(name, "1", "source", "sha256:1", str(folder / "artifact"), 1, 1.0)
    (folder / "component.json").write_bytes(dump(component))
    return component


async def test_the_offline_folder_holds_the_newest_of_each_component(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, wheels, cache = tmp_path / "go", tmp_path / "wheels", tmp_path / "cache"
    (go / "bin").mkdir(parents=True)
    (go / "bin" / "go").write_text("go")
    wheels.mkdir()
    (wheels / "a.whl").write_text("wheel")
    monkeypatch.setattr("sluice.adapters.dagger_engine.offline._go_root", lambda: _later(go))
    fetched: list[Path] = []

    async def fetch_modules(target: Path) -> None:
        fetched.append(target)

    monkeypatch.setattr("sluice.adapters.dagger_engine.offline.fetch_modules", fetch_modules)
    toolbox = obtained(cache, "toolbox", "k1")
    for number, key in enumerate(("old", "new")):
        obtained(cache, "loki", key)
        os.utime(cache / "loki" / key / "component.json", (number, number))
    (cache / "loki" / "tmp-1" / "artifact").mkdir(parents=True)
    for number, key in enumerate(("one", "other")):
        obtained(cache, "wheels-services", key)
        os.utime(cache / "wheels-services" / key / "component.json", (number, number))
    also = [cache / "wheels-services" / key / "artifact" for key in ("one", "other")]
    monkeypatch.chdir(tmp_path)
    target = Path("offline")
    (target / "left").mkdir(parents=True)
    (target / "base.tar").touch()  # laid out before
    assert await lay_out(target, toolbox=toolbox, wheels=wheels, supply=cache, also=also) == target
    assert fetched == [tmp_path / "offline" / "modules"], "for the tests of our own Go programs; Go takes whole paths"
    files = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert files == {
        "base.tar",
        "wheels/a.whl",
        "go/bin/go",
        *(f"supply/toolbox/k1/{name}" for name in ("component.json", "artifact/image.tar")),
        *(f"supply/loki/new/{name}" for name in ("component.json", "artifact/image.tar")),
        *(f"supply/wheels-services/{key}/component.json" for key in ("one", "other")),
        *(f"supply/wheels-services/{key}/artifact/image.tar" for key in ("one", "other")),
    }
    assert (target / "base.tar").stat().st_ino == (Path(toolbox.path) / "image.tar").stat().st_ino, "linked, not copied"


async def _later(value: Path) -> Path:
    return value
