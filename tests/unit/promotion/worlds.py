"""Stand-ins for a target and what leads to it: each step does well unless a test has given it a trouble."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests.unit.core.support import FakeProgress

from sluice import deploying, promoting
from sluice.adapters.registry.access import Access
from sluice.deploying import Deployer, Outcome
from sluice.domain import VERDICT_SCHEMA, Image, Service, SuiteTable, Verdict
from sluice.errors import ClusterError
from sluice.promotion.ledger import Entry, State, append
from sluice.promotion.model import Target
from sluice.promotion.plan import Plan
from sluice.promotion.release import SCHEMA, Release
from sluice.promotion.targets import load_targets
from sluice.release_tools import Place
from sluice.run import Run
from sluice.settings import load_settings
from sluice.steps.fetch_release import Fetched
from sluice.steps.verify_target import Verified

LOCAL = load_targets(Path(__file__).parents[3])["local"]
SOURCE = Place("source:5000", Access(plain=True))
PLACE = Place(LOCAL.registry.repository, Access())
WAY: tuple[State, ...] = ("planned", "copied", "deployed", "verified")
Trouble = BaseException | str | Callable[[], Awaitable[None]]


def fetched(id_: str, place: Place = SOURCE, *, level: Any = "pass") -> Fetched:
    """A release of one service, whose digest is sha256:<id>."""
    image = Image("api", f"{SOURCE.repository}/api", f"sha256:image-of-{id_}")
    api = Service("api", "", "services/api", 8080, "helm/service", "api")
    made = Release(SCHEMA, id_, 0.0, "0" * 40, "sha256:0", level, 100.0, (image,), (), (api,), {})
    verdict = Verdict(VERDICT_SCHEMA, id_, level, 100.0, 90.0, 75.0, (image.digest,), (), ("too slow",))
    return Fetched(made, verdict, f"{place.repository}/releases@sha256:{id_}", Path("nowhere"))


@dataclass
class World:
    """Targets, their ledgers, and the releases that were made. `does` is what was done to targets, in order.

    `troubles` has under what is done, such as "deploy B", what comes of it the next times: an exception, a reason of a
    check, or something to be done.
    """

    root: Path
    targets: dict[str, Target] = field(default_factory=lambda: {"local": LOCAL})
    made: dict[str, Any] = field(default_factory=lambda: {"A": "pass", "B": "pass"})
    ledgers: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    troubles: dict[str, list[Trouble]] = field(default_factory=dict)
    unproven: list[str] = field(default_factory=list)
    does: list[str] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)  # of each time that charts are installed
    locked: str = ""
    clock: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    run: Run = field(init=False)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The local target's ledger."""
        return self.ledgers.get("local", ())

    @property
    def states(self) -> list[tuple[str, str]]:
        """Release and state of each entry."""
        return [(one.release_id, one.state) for one in self.entries]

    def had(self, id_: str, *states: State, why: Any = "deploy", target: str = "local") -> "World":
        """Have a promotion in a ledger: a whole one, or as far as it got."""
        number = len(self.ledgers.get(target, ()))
        for state in states or WAY:
            one = Entry(0, 100.0, target, f"p{number}", f"sha256:{id_}", id_, state, "Ada", why)
            self.ledgers[target] = append(self.ledgers.get(target, ()), one)
        return self

    async def do(self, what: str) -> str:
        """Do something; what a check has against it is returned."""
        self.does.append(what)
        await anyio.lowlevel.checkpoint()
        self.clock += self.seconds.get(what, 0.0)
        waiting = self.troubles.get(what)
        trouble = waiting.pop(0) if waiting else ""
        if isinstance(trouble, BaseException):
            raise trouble
        if callable(trouble):
            await trouble()
            return ""
        return trouble

    async def deploy(self, wanted: str = "", *, target: str = "local", dry_run: bool = False) -> Outcome:
        """The command, in a run of its own."""
        return await self._deployer().deploy(self.targets[target], wanted, dry_run=dry_run)

    async def rollback(self, wanted: str = "", *, dry_run: bool = False) -> Outcome:
        """The command, in a run of its own."""
        return await self._deployer().rollback(self.targets["local"], wanted, dry_run=dry_run)

    def _deployer(self) -> Deployer:
        self.does.clear()
        self.run = Run(self.root / "promotions", FakeProgress())
        box: Any = SimpleNamespace(root=self.root, settings=load_settings(self.root))
        return Deployer(self.run, box, self.root, self.targets)


class FakeLedger:
    """Implements as much of adapters.kubernetes.ledger.TargetLedger as is asked of it."""

    def __init__(self, world: World, target: str) -> None:
        self._world, self._target = world, target

    async def read(self) -> tuple[Entry, ...]:
        """All entries."""
        if self._target != "local":
            await self._world.do(f"read {self._target}")
        return self._world.ledgers.get(self._target, ())

    async def append(self, *, at: float, **given: Any) -> Entry:
        """As the real one does, by the rules of promotion/ledger.py."""
        assert self._world.locked == self._target, "nobody writes without the lock"
        entries = append(self._world.ledgers.get(self._target, ()), Entry(0, at, self._target, **given))
        self._world.ledgers[self._target] = entries
        return entries[-1]


class FakeCanary:
    """Implements steps.deploy_release.Canaries."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.tables = [SuiteTable("canary-api", "canary of api", ("step",), (("20",),))]

    async def end(self, service: Service) -> None:
        """Take it away."""
        await self._world.do(f"end canary of {service.name}")


class FakeTarget:
    """Stands for target_tools.TargetTools."""

    who = "Ada"
    place = PLACE
    releases = None

    def __init__(self, world: World, target: Target) -> None:
        self._world, self.target, self.root = world, target, world.root
        self.ledger = FakeLedger(world, target.name)

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """The lock; a trouble may be what somebody else did before it was ours."""
        await self._world.do("lock")
        self._world.locked = self.target.name
        try:
            yield
        finally:
            self._world.locked = ""

    async def fetch(self, place: Place, digest: str) -> Fetched:
        """A release out of a place."""
        id_ = digest.removeprefix("sha256:")
        await self._world.do(f"fetch {id_} from {place.repository.partition(':')[0]}")
        return fetched(id_, place, level=self._world.made[id_]).at(self.place.repository)

    async def unproven(self, place: Place, images: object) -> list[str]:
        """What it was given."""
        return self._world.unproven

    async def copy(self, release: Fetched, source: Place) -> None:
        """Copy."""
        await self._world.do(f"copy {release.release.id} from {source.repository.partition(':')[0]}")

    def installer(self, release: Fetched, *, keep_current: bool = False) -> Fetched:
        """What `deploy_release` is given here."""
        self._world.kept.append(keep_current)
        assert release.release.images[0].repository.startswith(PLACE.repository), "its images come from the target's"
        return release

    def canary(self, release: Fetched, say: object) -> FakeCanary:
        """One that does well."""
        return FakeCanary(self._world)

    async def gather(self) -> None:
        """Look at what is there."""
        await self._world.do("gather")

    async def running(self) -> dict[str, tuple[str, ...]]:
        """Nobody asks."""
        raise NotImplementedError

    def metrics(self) -> None:
        """Nobody asks them."""

    async def smoke(self, release: Fetched) -> Any:
        """All of what is verified here."""
        found = await self._world.do(f"verify {release.release.id}")
        return Verified((found,) if found else (), None, {})


async def _verify(*, smoke: Callable[[], Awaitable[Any]], **_: object) -> Any:
    return await smoke()


def make_world(root: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world of one local target, in which nothing was promoted yet, in the place of everything real."""
    world = World(root)

    @asynccontextmanager
    async def reach(_: object, __: object, ___: object, target: Target, ____: object) -> AsyncIterator[FakeTarget]:
        if isinstance(trouble := world.troubles.get(f"reach {target.name}"), list) and trouble:
            raise ExceptionGroup("reaching", [ClusterError("the API server does not answer", seen=str(trouble.pop()))])
        yield FakeTarget(world, target)

    async def tags(where: str, _: Access) -> list[str]:
        assert where == f"{SOURCE.repository}/releases"
        return list(world.made)

    async def resolve(reference: str, _: Access) -> str:
        return f"sha256:{reference.rpartition(':')[2]}"

    async def tools(*_: object) -> Any:
        return SimpleNamespace(oras=SimpleNamespace(tags=tags, resolve=resolve))

    async def place(_: object) -> Place:
        return SOURCE

    async def plan(there: FakeTarget, release: Fetched, now: str) -> Plan:
        return Plan(there.target.name, release.release.id, now, (), ())

    async def deploy(installer: Any, *_: object, canary: object, **__: object) -> None:
        await world.do(f"deploy {installer.release.id}" + (" by canary" if canary else ""))

    for module, name, instead in (
        (deploying, "reach", reach),
        (deploying, "release_tools", tools),
        (deploying, "releases_place", place),
        (deploying, "plan_of", plan),
        (promoting, "deploy_release", deploy),
        (promoting, "verify_target", _verify),
        (promoting, "time", Clock(world)),
    ):
        monkeypatch.setattr(module, name, instead)
    return world


@dataclass
class Clock:
    """In the place of the module `time`: goes on only by what is done."""

    world: World

    def monotonic(self) -> float:
        """The world's clock."""
        return self.world.clock

    def time(self) -> float:
        """The same, as seconds since the epoch."""
        return 1_000.0 + self.world.clock

    def gmtime(self, at: float) -> float:
        """Left to `strftime`."""
        return at

    def strftime(self, _: str, at: float) -> str:
        """Good enough."""
        return f"{at:.0f}"
