"""The engine: found, or told how to have one; images come into it under one name."""

from pathlib import Path

import pytest
from tests.unit.core.support import FakeEngine, program

from sluice.adapters import host
from sluice.adapters.docker import engine as engine_module
from sluice.adapters.docker.engine import Engine, ensure_engine, stop_own_engine
from sluice.adapters.process import Completed
from sluice.errors import HostError

pytestmark = pytest.mark.anyio


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    async def silent() -> bool:
        return False

    monkeypatch.setattr(engine_module, "answers", silent)
    monkeypatch.setattr(host, "is_root", lambda: True)
    monkeypatch.setattr(host, "is_debian", lambda: True)
    return monkeypatch


async def ensure(folder: Path, *, may_install: bool = True) -> Engine:
    return await ensure_engine(folder, may_install=may_install, capped_runc=lambda: Path("capped"), say=lambda _: None)


async def test_an_engine_that_answers_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def there() -> bool:
        return True

    monkeypatch.setattr(engine_module, "answers", there)
    assert await ensure(tmp_path, may_install=False)
    assert list(tmp_path.iterdir()) == []


async def test_who_is_not_root_is_told_the_commands(no_engine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_engine.setattr(host, "is_root", lambda: False)
    with pytest.raises(HostError, match="may not start one") as caught:
        await ensure(tmp_path)
    assert "sudo sh -c 'apt-get install docker.io" in caught.value.next_command


async def test_no_install_is_obeyed(no_engine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="--no-install forbids"):
        await ensure(tmp_path, may_install=False)


async def test_where_we_cannot_install_that_is_said(no_engine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_engine.setattr(host, "is_debian", lambda: False)
    no_engine.setattr(engine_module, "_daemon_program", lambda: None)
    with pytest.raises(HostError, match="no Docker engine on this host"):
        await ensure(tmp_path)


async def test_a_daemon_that_ends_at_once_is_told_with_its_last_words(
    no_engine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = "print('failed to start daemon: no iptables', flush=True)\nraise SystemExit(1)"
    daemon = program(tmp_path / "dockerd", source)
    no_engine.setattr(engine_module, "_daemon_program", lambda: str(daemon))
    no_engine.setattr(host, "missing_capabilities", lambda: ())
    with pytest.raises(HostError, match="the Docker engine did not start") as caught:
        await ensure(tmp_path / "state")
    assert "no iptables" in caught.value.seen
    assert str(tmp_path / "state" / "dockerd.log") in caught.value.next_command


async def test_the_engine_of_somebody_else_is_not_stopped(tmp_path: Path) -> None:
    assert not await stop_own_engine(tmp_path, lambda _: None)
    for content in ("", "no number", "1", "999999999"):  # pid 1 is no dockerd
        (tmp_path / "dockerd.pid").write_text(content)
        assert not await stop_own_engine(tmp_path, lambda _: None)
        assert not (tmp_path / "dockerd.pid").exists()


async def test_an_archive_without_a_name_comes_in_under_ours(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path, {"load": Completed(0, "Loaded image ID: sha256:abc", "")})
    await engine.load(tmp_path / "image.tar", "sluice.local/debian:1")
    assert engine.called("tag") == [("tag", "sha256:abc", "sluice.local/debian:1")]
    assert engine.called("image", "rm") == []


async def test_the_name_that_an_archive_brings_does_not_stay(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path, {"load": Completed(0, "Loaded image: docker.io/library/debian:i-was-a-digest", "")})
    await engine.load(tmp_path / "image.tar", "sluice.local/debian:1")
    name = "docker.io/library/debian:i-was-a-digest"
    assert engine.called("tag") == [("tag", name, "sluice.local/debian:1")]
    assert engine.called("image", "rm") == [("image", "rm", name)]
