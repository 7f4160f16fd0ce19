"""The line itself: what waits for what, and what goes side by side."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from sluice import pipeline
from sluice.domain import Cluster, Fixture, Image, Images, Service, Source, SuiteResults
from sluice.errors import NotReady
from sluice.pipeline import SoFar, deliver
from sluice.settings import Settings

pytestmark = pytest.mark.anyio
FIXTURES = (
    Fixture("dapr", ("daprd",)),
    Fixture("kafka", ("kafka", "jmx-exporter")),
    Fixture("postgresql", ("postgresql",), each_service=True),
)
WORKS = {
    "prepare", "install_secrets", "install_fixture", "provide", "install_service", "install_monitoring",
    "install_logging", "install_receivers", "install_receivers_secrets",
}  # fmt: skip


def service(name: str, *requires: str) -> Service:
    return Service(name, "", f"services/{name}", 8000, f"helm/{name}", name, requires)


SERVICES = (service("backend", "postgresql", "kafka", "dapr"), service("notes", "postgresql"), service("plain"))


class FakeRun:
    """Takes steps as a run does; a step may be held back, and what ended is in order."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.held: dict[str, anyio.Event] = {}
        self.broken: dict[str, Exception] = {}

    async def step(
        self, name: str, work: Callable[[], Awaitable[Any]], *, deadline_seconds: float, detail: str = ""
    ) -> Any:
        self.begun.append(name)
        if name in self.held:
            await self.held[name].wait()
        if name in self.broken:
            raise self.broken[name]
        result = await work()
        self.ended.append(name)
        return result


@dataclass
class FakeTools:
    """The toolbox of a run that touches nothing."""

    settings: Settings = field(default_factory=Settings)

    async def resolve_source(self) -> Source:
        return Source("/tree", "r", False, "sha256:0", SERVICES, FIXTURES)

    async def cluster_parts(self) -> None: ...

    async def image_parts(self) -> None: ...

    async def create_cluster(self) -> Cluster:
        return Cluster("c", "/kubeconfig", "r", "node", "1", True)

    async def build_images(self, source: Source) -> Images:
        return Images(tuple(Image(one.name, f"r/{one.name}", "sha256:1") for one in source.services))

    async def definitions(self) -> Path:
        return Path("/crds")

    async def installer(self, cluster: Cluster) -> str:
        return "installer"

    async def component_images(self, names: Sequence[str]) -> dict[str, Image]:
        return {name: Image(name, f"r/{name}", "sha256:2") for name in names}

    async def grafana(self) -> None: ...

    async def run_suites(self, source: Source) -> SuiteResults:
        return SuiteResults(0, 1, (), 0)


class Line:
    """A line whose steps do nothing but tell what they were given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run, self.tools, self.so_far = FakeRun(), FakeTools(), SoFar()
        self.given: dict[str, list[tuple[Any, ...]]] = {name: [] for name in WORKS}
        for name in WORKS:
            monkeypatch.setattr(pipeline, name, self._work(name))

    def _work(self, name: str) -> Callable[..., Awaitable[None]]:
        async def work(*given: Any) -> None:
            self.given[name].append(given)

        return work

    async def deliver(self) -> None:
        with anyio.fail_after(20):
            await deliver(self.run, self.tools, self.so_far)  # type: ignore[arg-type]

    async def settled(self) -> None:
        """Let everything that can go on do so."""
        for _ in range(50):
            await anyio.lowlevel.checkpoint()


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(monkeypatch)


async def test_each_fixture_gets_its_images_and_each_service_what_it_requires(line: Line) -> None:
    await line.deliver()
    fixtures = {one.name: (namespace, sorted(images)) for _, one, namespace, images in line.given["install_fixture"]}
    assert fixtures == {one.name: ("default", sorted(one.images)) for one in FIXTURES}
    provided = [(fixture.name, one.name, sorted(images)) for _, fixture, one, _, images in line.given["provide"]]
    assert sorted(provided) == [("postgresql", name, ["postgresql"]) for name in ("backend", "notes")]
    installed = {one.name: (image.name, sorted(parts)) for _, one, _, image, parts in line.given["install_service"]}
    assert installed == {
        "backend": ("backend", ["daprd", "jmx-exporter", "kafka", "postgresql"]),
        "notes": ("notes", ["postgresql"]),
        "plain": ("plain", []),
    }
    assert line.run.ended[-1] == "run suites"
    assert line.so_far.results is not None


async def test_a_service_waits_for_what_it_requires_and_for_nothing_else(line: Line) -> None:
    kafka = line.run.held["install kafka"] = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(line.deliver)
        await line.settled()
        ended = set(line.run.ended)
        kafka.set()
    assert {"install postgresql", "install dapr", "install notes", "install plain", "postgresql for backend"} <= ended
    assert "install backend" not in ended
    assert "run suites" not in ended
    assert "install backend" in line.run.ended


async def test_fixtures_come_up_while_images_are_built(line: Line) -> None:
    images = line.run.held["build images"] = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(line.deliver)
        await line.settled()
        ended = set(line.run.ended)
        images.set()
    assert {"install kafka", "postgresql for backend", "install monitoring", "install logging"} <= ended
    assert not {"install backend", "install plain"} & ended


@pytest.mark.parametrize(
    ("held", "waits", "goes"),
    [
        ("prepare cluster", {"install kafka", "install monitoring", "install plain"}, {"build images"}),
        ("make secrets", {"install backend", "install plain"}, {"install kafka", "postgresql for backend"}),
        ("make receivers' secrets", {"install monitoring"}, {"install receivers", "install kafka"}),
    ],
)
async def test_nothing_is_put_on_a_cluster_without_what_it_mounts(
    line: Line, held: str, waits: set[str], goes: set[str]
) -> None:
    event = line.run.held[held] = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(line.deliver)
        await line.settled()
        begun = set(line.run.begun)
        event.set()
    assert not waits & begun
    assert goes <= begun
    assert waits <= set(line.run.ended)


async def test_a_fixture_that_fails_ends_the_line_with_its_cause(line: Line) -> None:
    line.run.broken["install kafka"] = NotReady("kafka-0 is not ready")
    with pytest.raises(ExceptionGroup) as caught:
        await line.deliver()
    assert "kafka-0" in str(pipeline.leaves(caught.value))
    assert "run suites" not in line.run.begun
