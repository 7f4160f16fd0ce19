"""The cache: whole or not at all, found again, unharmed by kills and full disks, one process at a time."""

import errno
import fcntl
import json
import os
import shutil
from pathlib import Path

import anyio
import pytest

from sluice.domain import Component
from sluice.errors import CommandFailed, DiskFull, NotReady
from sluice.supply import cache as cache_module
from sluice.supply.cache import Cache, digest_of, key_of, size_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def obtain(cache: Cache, key: str = "k", content: str = "x", name: str = "loki") -> Component:
    with cache.workspace(name) as into:
        (into / name).write_text(content)
        made = Component(name, "1", "source", digest_of(into), str(into), size_of(into), 2.5)
        return cache.publish(into, key, made)


def content(found: Component | None) -> str:
    assert found is not None
    return (Path(found.path) / found.name).read_text()


def leftovers(cache: Cache) -> list[str]:
    return [path.name for path in (cache.root / "supply" / "loki").glob("tmp-*")]


def test_a_key_depends_on_every_part_and_on_no_order_of_names() -> None:
    assert key_of(["a", {"x": 1, "y": 2}]) == key_of(["a", {"y": 2, "x": 1}])
    assert len({key_of(parts) for parts in (["a"], ["b"], ["a", None], {"a": 1}, [["a"]])}) == 5
    assert len(key_of("x")) == 16


def test_a_digest_is_over_names_contents_and_who_may_run_it(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder / "deep").mkdir(parents=True)
        (tmp_path / folder / "deep" / "x").write_text("1")
    a, b = tmp_path / "a", tmp_path / "b"
    same = digest_of(a)
    assert same.startswith("sha256:")
    assert digest_of(b) == same
    (b / "deep" / "x").chmod(0o755)
    assert digest_of(b) != same
    (b / "deep" / "x").chmod(0o600)
    assert digest_of(b) == same, "who may read it is this host's affair"
    (b / "deep" / "x").rename(b / "x")
    assert digest_of(b) != same
    assert digest_of(a / "deep" / "x") == "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"


def test_what_was_published_is_found_again(cache: Cache) -> None:
    made = obtain(cache)
    found = cache.find("loki", "k")
    assert found is not None
    assert (found.cached, made.cached) == (True, False)
    assert (found.path, found.digest, found.seconds) == (made.path, made.digest, 2.5)
    assert content(found) == "x"
    assert cache.find("loki", "other") is None
    assert cache.find("tempo", "k") is None
    assert leftovers(cache) == []


def test_a_cache_that_was_moved_still_holds(cache: Cache, tmp_path: Path) -> None:
    obtain(cache)
    cache.root.rename(tmp_path / "elsewhere")
    assert content(Cache(tmp_path / "elsewhere").find("loki", "k")) == "x"


def test_publishing_again_replaces_the_whole(cache: Cache) -> None:
    obtain(cache, content="old")
    (cache.root / "supply/loki/k/artifact/stray").write_text("half")
    obtain(cache, content="new")
    assert content(cache.find("loki", "k")) == "new"
    assert not (cache.root / "supply/loki/k/artifact/stray").exists()


@pytest.mark.parametrize("left", ["no record", "half a record", "no artifact"])
def test_what_is_not_whole_is_not_found(cache: Cache, left: str) -> None:
    obtain(cache)
    folder = cache.root / "supply/loki/k"
    if left == "no artifact":
        shutil.rmtree(folder / "artifact")
    else:
        record = folder / "component.json"
        text = record.read_text()
        record.unlink()
        if left == "half a record":
            record.write_text(text[: len(text) // 2])
    assert cache.find("loki", "k") is None
    assert cache.newest("loki") is None
    obtain(cache, content="again")
    assert content(cache.find("loki", "k")) == "again"


def test_a_failure_leaves_nothing_and_what_was_there_unharmed(cache: Cache) -> None:
    obtain(cache, "old")

    def broken() -> None:
        with cache.workspace("loki") as into:
            (into / "half").write_text("x")
            raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        broken()
    assert leftovers(cache) == []
    assert content(cache.find("loki", "old")) == "x"


def test_what_a_killed_process_left_is_neither_found_nor_kept(cache: Cache) -> None:
    obtain(cache, "old", "old")
    # Killed at the last moment: everything is written, the move to its place is not done.
    left = cache.root / "supply/loki/tmp-4711"
    shutil.copytree(cache.root / "supply/loki/old", left)
    (left / "artifact/loki").write_text("half")
    os.utime(left / "component.json", (2e9, 2e9))
    assert content(cache.newest("loki")) == "old"
    obtain(cache, "new", "new")
    assert leftovers(cache) == []
    assert content(cache.find("loki", "new")) == "new"


def full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def quota() -> None:
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


def program_says() -> None:
    raise CommandFailed("building loki failed", status=1, seen="write /tmp/go-link: no space left on device")


def tree_says() -> None:
    raise shutil.Error([("a", "b", "[Errno 28] No space left on device")])


@pytest.mark.parametrize("happens", [full, quota, program_says, tree_says])
def test_a_full_disk_is_told_and_the_cache_unharmed(cache: Cache, happens: object) -> None:
    obtain(cache, "old")
    assert callable(happens)

    def half() -> None:
        with cache.workspace("loki") as into:
            (into / "half").write_text("x")
            happens()

    with pytest.raises(DiskFull, match="no room left below") as caught:
        half()
    assert "GB free" in caught.value.seen
    assert "./nox -s clean" in caught.value.next_command
    assert leftovers(cache) == []
    assert content(cache.find("loki", "old")) == "x"
    obtain(cache, "new")
    assert cache.find("loki", "new")


def test_a_disk_that_is_full_at_the_last_byte_publishes_nothing(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    obtain(cache, "old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", lambda *_: full())
        with pytest.raises(DiskFull):
            obtain(cache, "new")
    assert cache.find("loki", "new") is None
    assert leftovers(cache) == []
    assert content(cache.find("loki", "old")) == "x"


@pytest.mark.parametrize("error", [PermissionError(13, "no"), CommandFailed("go build failed", status=1, seen="x")])
def test_other_failures_are_not_taken_for_a_full_disk(cache: Cache, error: Exception) -> None:
    with pytest.raises(type(error)), cache.workspace("loki"):
        raise error


async def test_a_full_disk_is_told_before_the_lock_can_be_made(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: full())
    with pytest.raises(DiskFull):
        async with cache.locked("loki"):
            pass


async def test_one_at_a_time_and_the_other_waits(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_POLL_SECONDS", 0.01)
    order: list[str] = []
    inside = anyio.Event()

    async def first() -> None:
        async with cache.locked("loki"):
            order.append("first in")
            inside.set()
            await anyio.sleep(0.05)
            order.append("first out")

    async def second() -> None:
        await inside.wait()
        async with cache.locked("loki"):
            order.append("second in")

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(first)
            group.start_soon(second)
    assert order == ["first in", "first out", "second in"]


async def test_another_process_that_never_ends_is_told_at_the_deadline(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(cache_module, "_LOCK_SECONDS", 0.05)
    async with cache.locked("tempo"):
        pass
    (cache.root / "supply/loki").mkdir()
    with (cache.root / "supply/loki/lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(NotReady, match="another process has been working on it") as caught:
            async with cache.locked("loki"):
                raise AssertionError("not to be reached")
    assert str(cache.root / "supply/loki/lock") in caught.value.seen
    with anyio.fail_after(20):
        async with cache.locked("loki"):
            pass


async def test_the_lock_goes_with_a_failure(cache: Cache) -> None:
    with pytest.raises(KeyError):
        async with cache.locked("loki"):
            raise KeyError
    with anyio.fail_after(20):
        async with cache.locked("loki"):
            pass


def test_the_newest_is_what_was_obtained_last(cache: Cache) -> None:
    for moment, key in enumerate(("b", "a", "c")):
        obtain(cache, key, content=key)
        os.utime(cache.root / "supply/loki" / key / "component.json", (moment, moment))
    assert content(cache.newest("loki")) == "c"
    assert cache.last_seconds("loki") == 2.5
    assert cache.last_seconds("tempo") is None


def test_the_record_tells_what_it_is(cache: Cache) -> None:
    obtain(cache)
    record = json.loads((cache.root / "supply/loki/k/component.json").read_text())
    assert (record["name"], record["version"], record["how"]) == ("loki", "1", "source")


def test_the_newest_two_artifacts_are_kept_and_older_ones_forgotten(cache: Cache) -> None:
    for age, key in enumerate(("oldest", "older", "newest")):
        obtain(cache, key, content=key)
        os.utime(cache.root / "supply" / "loki" / key / "component.json", (age, age))
    obtain(cache, "now", content="now")
    assert [key for key in ("oldest", "older", "newest", "now") if cache.find("loki", key)] == ["newest", "now"]
