"""Which of Dagger's command lines is taken: its client by itself would download one."""

import os
from importlib import metadata
from pathlib import Path

import anyio
import dagger
import pytest

from sluice.adapters.dagger_engine import presence
from sluice.adapters.dagger_engine.session import session
from sluice.errors import HostError


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder, a PATH and an environment without Dagger."""
    for name in (presence.PROGRAM, presence.RUNNER, presence.SESSION):
        monkeypatch.setenv(name, "")  # so that what a session sets is undone, too
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)


def test_the_environment_comes_before_path_and_path_before_what_was_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert presence.program() is None
    fetched = program(tmp_path / ".sluice" / f"dagger-{metadata.version('dagger-io')}" / "dagger")
    assert presence.program() == str(fetched)
    on_path = program(tmp_path / "bin" / "dagger")
    assert presence.program() == str(on_path)
    monkeypatch.setenv(presence.PROGRAM, "/named/dagger")
    assert presence.program() == "/named/dagger"


def test_an_engine_without_a_command_line_is_not_reachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(presence.RUNNER, "unix:///run/engine.sock")
    assert not presence.reachable()
    program(tmp_path / "bin" / "dagger")
    assert presence.reachable()


def test_a_session_is_opened_by_the_program_that_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = program(tmp_path / "bin" / "dagger")
    taken: list[str | None] = []

    class Connection:
        async def __aenter__(self) -> None:
            taken.append(os.environ.get(presence.PROGRAM))
            raise dagger.ProvisionError("as far as it goes")

    monkeypatch.setattr(dagger, "connection", Connection)

    async def open_it() -> None:
        async with session():
            raise AssertionError("it was opened")

    with pytest.raises(HostError, match="as far as it goes"):
        anyio.run(open_it)
    assert taken == [str(found)]
