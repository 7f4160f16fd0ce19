"""BackupStore with an engine of files: started once, locked, ours or refused; no secret is an argument."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.core.support import OURS, FakeEngine, container_json, failed

from sluice.adapters.docker.backup_store import BackupStore, remove_stores
from sluice.adapters.process import Completed
from sluice.errors import ClusterError
from sluice.recovery.keys import Keys

pytestmark = pytest.mark.anyio
KEYS = Keys("access-1", "secret-1", "passphrase-1", "passphrase-2")
NAME = "mine-backups"
VOLUME = f"{NAME}-2"
LISTENING = Completed(0, "", "  https://127.0.0.1:7070")


class Starting(FakeEngine):
    """An engine that has a container once it was told to run it."""

    async def docker(self, *args: str | Path, **more: Any) -> Completed:
        """As of a fake engine."""
        done = await super().docker(*args, **more)
        if args[:2] == ("run", "--detach"):
            mount = args[args.index("--volume") + 1]
            volume = str(mount).partition(":")[0]
            self.put(NAME, {**container_json("store", labels=OURS), "Mounts": [{"Name": volume}]})
        return done


def store(tmp_path: Path, **answers: Completed) -> tuple[FakeEngine, BackupStore]:
    engine = Starting(tmp_path / "containers", {"logs": LISTENING, **answers})
    (tmp_path / "backups").mkdir(exist_ok=True)
    return engine, BackupStore(engine, "mine", tmp_path / "backups", "2")


async def test_it_is_started_locked_and_no_argument_has_a_secret(tmp_path: Path) -> None:
    engine, made = store(tmp_path)
    reached = await made.start("image", "base", KEYS)
    assert (reached.host, reached.port) == (NAME, 7070)
    assert reached.ca.startswith("-----BEGIN CERTIFICATE-----")
    words = [" ".join(map(str, call)) for call in engine.called("run")]
    assert "--cap-drop ALL" in words[-1]
    assert "--read-only" in words[-1]
    assert "--user 65534:65534" in words[-1]
    assert not any(secret in call for call in words for secret in (KEYS.access, KEYS.secret, "PRIVATE KEY"))
    assert (tmp_path / "backups" / "store.env").stat().st_mode & 0o777 == 0o600


async def test_one_that_runs_is_kept_with_its_certificate(tmp_path: Path) -> None:
    engine, made = store(tmp_path)
    reached = await made.start("image", "base", KEYS)
    before = len(engine.called("run"))
    assert await made.start("image", "base", KEYS) == reached
    assert len(engine.called("run")) == before


async def test_a_container_of_that_name_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    engine, made = store(tmp_path)
    engine.put(NAME, container_json("x", labels={"owner": "else"}))
    with pytest.raises(ClusterError) as caught:
        await made.start("image", "base", KEYS)
    assert NAME in str(caught.value)
    assert engine.called("rm") == []


async def test_ours_that_ended_is_started_anew_and_its_volume_stays(tmp_path: Path) -> None:
    listed = Completed(0, f"{VOLUME}\n", "")
    engine, made = store(tmp_path, **{"volume ls": listed})
    engine.put(NAME, {**container_json("x", labels=OURS), "State": {"Running": False}})
    await made.start("image", "base", KEYS)
    assert engine.called("rm") == [("rm", "--force", NAME)]
    assert engine.called("volume", "rm") == []


async def test_another_drills_store_is_replaced_and_what_it_holds_goes(tmp_path: Path) -> None:
    """Its repository has another passphrase and another database."""
    listed = Completed(0, f"{NAME}-1\n{VOLUME}\nnot-{NAME}-1\n", "")  # docker's filter finds a part of a name
    engine, made = store(tmp_path, **{"volume ls": listed})
    await made.start("image", "base", KEYS)
    engine.put(NAME, {**container_json("x", labels=OURS), "Mounts": [{"Name": f"{NAME}-1"}]})
    await made.start("image", "base", KEYS)
    assert engine.called("rm") == [("rm", "--force", NAME)]
    assert engine.called("volume", "rm")[-1] == ("volume", "rm", f"{NAME}-1")
    assert f"{VOLUME}:/store" in engine.called("run", "--detach")[-1]


async def test_it_joins_kinds_network_once_or_twice(tmp_path: Path) -> None:
    _, made = store(tmp_path, network=failed("endpoint with name mine-backups already exists in network kind"))
    await made.join()
    _, made = store(tmp_path, network=failed("network kind not found"))
    with pytest.raises(ClusterError):
        await made.join()


async def test_it_is_removed_with_its_image_and_all_that_drills_left(tmp_path: Path) -> None:
    engine, made = store(tmp_path)
    assert not await remove_stores(engine, "mine")
    await made.start("image", "base", KEYS)
    engine.answers["volume ls"] = Completed(0, f"{VOLUME}\n", "")
    assert await remove_stores(engine, "mine")
    assert engine.called("rm") == [("rm", "--force", NAME)]
    assert engine.called("image", "rm") == [("image", "rm", "store")]
    assert engine.called("volume", "rm") == [("volume", "rm", VOLUME)]
