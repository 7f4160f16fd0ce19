"""Regions: what is raised in which order and role, what an old side becomes, and what is never replaced."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.regions.pairs import Killed, Pair

from sluice import raising_regions
from sluice.domain import Cluster, Fixture, Image, Images, Service, Source
from sluice.errors import FailoverError, NotReady
from sluice.raising_regions import Regions
from sluice.regions import active as entry
from sluice.regions.active import Active
from sluice.regions.model import Database, Marker, Seen

pytestmark = pytest.mark.anyio
BACKEND = Service("backend", "", "services/backend", 8000, "helm/backend", "backend", ("postgresql", "kafka"))
FIXTURES = (Fixture("kafka", ("kafka",)), Fixture("postgresql", ("postgresql",), each_service=True))
SOURCE = Source("/tree", "0123456789abcdef", dirty=False, digest="", services=(BACKEND,), fixtures=FIXTURES)


class Rig(Pair):
    """Two regions that are not there yet, and all that they are raised with."""

    def __post_init__(self) -> None:
        self.log: list[str] = []
        super().__post_init__()
        self.there: set[str] = set()
        self.fits = True
        for region in self.regions.values():
            region.marked = None  # type: ignore[assignment]
            region.empty = self._empties(region.name)  # type: ignore[attr-defined]
            region.allow_following = self._does(f"{region.name}: role to follow with")  # type: ignore[attr-defined]
        made = Images((Image("backend", "r/backend", "sha256:1"),))
        self.box = SimpleNamespace(
            root=Path("/tree"), resolve_source=self._gives(SOURCE), cluster_parts=self._gives(None),
            image_parts=self._gives(None), build_images=self._gives(made), component_images=self._images,
            provider=self._provider, create_cluster=self._create, definitions=self._gives(Path("/crds")),
            engine=self._gives(None), supply=SimpleNamespace(get=self._gives(None)),
        )  # fmt: skip

    def cluster(self, region: str) -> str:
        return f"sluice-{region}"

    def kubeconfig(self, region: str) -> Path:
        return self.home / f"{region}.kubeconfig"

    async def installer(self, region: str) -> tuple[Any, Any]:
        manifests = SimpleNamespace(ensure_secret=self._gives(None))
        return SimpleNamespace(name=region, manifests=manifests), region

    def note(self, what: str) -> Any:
        """A function that notes that it was called, with the region or what it was given."""

        async def called(*given: Any, **more: Any) -> None:
            where = next((one.name for one in given if isinstance(one, SimpleNamespace)), "")
            which = next((one.name for one in given if isinstance(one, Fixture | Service)), "")
            size = f" x{more['replicas']}" if "replicas" in more else ""
            self.log.append(f"{where}: {what}{which and ' '}{which}{size}")

        return called

    def _gives(self, value: Any) -> Any:
        async def give(*_: Any, **__: Any) -> Any:
            return value

        return give

    def _does(self, what: str) -> Any:
        async def do(*_: Any, **__: Any) -> None:
            self.log.append(what)

        return do

    def _empties(self, region: str) -> Any:
        async def empty(name: str, **_: Any) -> None:
            self.log.append(f"{region}: {name} emptied")

        return empty

    async def _images(self, names: tuple[str, ...]) -> dict[str, Image]:
        return {name: Image(name, f"r/{name}", "sha256:2") for name in names}

    async def _provider(self, name: str) -> Any:
        there = name.rpartition("-")[2] in self.there
        return SimpleNamespace(
            node=f"{name}-control-plane", wake=self._gives(False), owned=self._gives(there),
            runs=self._gives(there and self.fits), delete=self._gives(there),
        )  # fmt: skip

    async def _create(self, *, name: str) -> Cluster:
        region = name.rpartition("-")[2]
        created = region not in self.there
        self.log.append(f"{region}: {'made' if created else 'kept'}")
        self.there.add(region)
        return Cluster(name, "", "", "node", "1", created)

    def steps(self, region: str) -> list[str]:
        """What was done in a region."""
        return [line.partition(": ")[2] for line in self.log if line.startswith(f"{region}: ")]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(tmp_path)
    names = {
        "prepare": "prepared", "install_secrets": "secrets", "ensure_passwords": "", "provide": "provide",
        "install_region_fixture": "install", "install_region_service": "install",
    }  # fmt: skip
    for name, what in names.items():
        monkeypatch.setattr(raising_regions, name, made.note(what) if what else made._gives(None))
    monkeypatch.setattr(raising_regions, "in_a_region", lambda _, name: Fixture(name, (name,)))
    monkeypatch.setattr(raising_regions, "in_engine", made._gives("node:1"))
    monkeypatch.setattr(raising_regions, "region_keys", made._gives(None))
    monkeypatch.setattr(raising_regions, "release_of", lambda *_: "sha256:a")

    async def pulled(_: Any, __: str, references: list[str], **___: Any) -> None:
        made.log.append(f"west: pulled {' '.join(references)}")

    monkeypatch.setattr(raising_regions, "pull_images", pulled)

    async def shared(active: str, standby: str, *_: Any) -> None:
        made.log.append(f"{standby}: secrets of {active}")

    async def noted(_client: Any, _space: str, region: str, *_: Any, **more: Any) -> None:
        made.log.append(f"{region}: ledger {more['release']}")

    monkeypatch.setattr(raising_regions, "share_secrets", shared)
    monkeypatch.setattr(raising_regions, "note_release", noted)
    return made


def regions(rig: Rig) -> Regions:
    return Regions(rig)  # type: ignore[arg-type]


async def test_the_first_time_one_is_the_primary_and_the_other_follows(rig: Rig) -> None:
    rig.regions["east"].standby = False
    assert await regions(rig).up() == Active("east", 1) == entry.read(rig.home)
    assert rig.steps("east") == [
        "made", "prepared", "primary", "secrets", "mirror down", "install postgresql", "install kafka",
        "role to follow with", "provide postgresql", "install backend x1", "ledger sha256:a", "primary",
    ]  # fmt: skip
    assert rig.steps("west") == [
        "made", "prepared", "secrets of east", "standby", "install backend x0", "pulled r/backend@sha256:1",
        "install postgresql", "install kafka", "install mirror", "ledger sha256:a",
    ]  # fmt: skip
    assert rig.regions["east"].marked == Marker("east", "primary", 1), "not first and not alone any more"


async def test_until_somebody_follows_it_the_primary_is_alone(rig: Rig) -> None:
    rig.regions["west"].dies_at = "standby"
    with pytest.raises(Killed):
        await regions(rig).up()
    assert rig.regions["east"].marked == Marker("east", "primary", 1, first=True, alone=True)
    rig.begin()
    await regions(rig).up()
    assert rig.steps("east").count("made") == 1
    assert not rig.regions["east"].marked.alone


async def test_it_waits_until_the_standby_answers_and_receives(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    west, answers = rig.regions["west"], [FailoverError("west's database does not answer", seen="no pod"), False, True]
    answer = west.database

    async def database() -> Database:
        now = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(now, FailoverError):
            raise now
        west.streaming = bool(now)
        return await answer()

    monkeypatch.setattr(west, "database", database)
    await regions(rig).up()
    assert answers == [True]
    monkeypatch.setattr(raising_regions, "_FOLLOWS_SECONDS", 0.2)
    answers[:] = [False]
    rig.begin()
    with pytest.raises(NotReady) as caught:
        await regions(rig).up()
    assert caught.value.seen == "it is at 100 and receives nothing"


@pytest.mark.parametrize("left", ["primary", "fenced"])
async def test_after_a_switch_the_old_side_gives_up_and_follows(rig: Rig, left: Any) -> None:
    rig.there = {"east", "west"}
    entry.write(rig.home, Active("west", 2))
    rig.regions["west"].marked, rig.regions["west"].standby = Marker("west", "primary", 2, alone=True), False
    rig.regions["east"].marked, rig.regions["east"].standby = Marker("east", left, 1 if left == "primary" else 2), True
    await regions(rig).up()
    assert rig.steps("east") == [
        "kept", "prepared", "fenced", "services 0", "server down", "mirror down", "kafka emptied", "secrets of west",
        "standby", "install backend x0", "install postgresql", "install kafka", "install mirror", "ledger sha256:a",
    ]  # fmt: skip
    assert rig.regions["west"].marked == Marker("west", "primary", 2)


async def test_a_standby_that_follows_is_not_emptied(rig: Rig) -> None:
    await regions(rig).up()
    rig.log.clear()
    rig.begin()
    await regions(rig).up()
    assert "kafka emptied" not in rig.steps("west")
    assert "fenced" not in rig.steps("west")


@pytest.mark.parametrize("gone", [True, False])
async def test_the_active_region_is_never_replaced(rig: Rig, gone: bool) -> None:
    entry.write(rig.home, Active("east", 1))
    rig.there, rig.fits = (set() if gone else {"east"}), False
    with pytest.raises(FailoverError) as caught:
        await regions(rig).up()
    assert "east is the active region" in str(caught.value)
    assert "--to west --force" in caught.value.next_command
    assert rig.log == []


@pytest.mark.parametrize(
    ("east", "west"),
    [
        (Marker("east", "fenced", 2), None),
        (Marker("east", "primary", 2), None),
        (None, Marker("west", "primary", 2)),
        (None, Marker("west", "standby", 2)),
    ],
)
async def test_where_the_regions_say_something_else_than_the_entry_nothing_is_given_up(
    rig: Rig, east: Marker | None, west: Marker | None
) -> None:
    rig.regions["east"].marked, rig.regions["west"].marked = east, west  # type: ignore[assignment]
    with pytest.raises(FailoverError) as caught:
        await regions(rig).up()
    assert "of epoch 2" in caught.value.seen
    assert not {"fenced", "kafka emptied"} & {*rig.steps("east"), *rig.steps("west")}


async def test_while_a_switch_is_under_way_nothing_is_mended(rig: Rig) -> None:
    entry.write(rig.home, Active("east", 1, "/runs/x"))
    with pytest.raises(FailoverError) as caught:
        await regions(rig).up()
    assert "--to west --again /runs/x" in caught.value.next_command


async def test_down_removes_what_is_ours_and_what_this_host_knows(rig: Rig) -> None:
    await regions(rig).up()
    rig.ledger_copy("west").write_text("entries")
    said = await regions(rig).down()
    assert said[:2] == ["removed the cluster sluice-east", "removed the cluster sluice-west"]
    assert entry.read(rig.home) is None
    assert not rig.ledger_copy("west").exists()
    assert rig.ledger_copy("west").with_suffix(".before").exists()


async def test_status_asks_those_that_are_there(rig: Rig) -> None:
    active, seen = await regions(rig).status()
    assert active is None
    assert seen == [Seen(name, unreachable="there is no such cluster on this host") for name in ("east", "west")]
    rig.kubeconfig("west").write_text("")
    _, seen = await regions(rig).status()
    assert seen[1].database
