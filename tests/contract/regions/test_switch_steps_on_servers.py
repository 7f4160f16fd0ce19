"""The steps of a switch on real servers: there is no API server, and a pod is a process of the test."""

from pathlib import Path

import anyio.to_thread
import httpx
import pytest
from tests.contract.regions.conftest import Side
from tests.contract.regions.test_following import Pair

from sluice.adapters.kubernetes.region import RegionCluster
from sluice.errors import NotReady
from sluice.regions.model import Marker
from sluice.steps.fence_region import fence
from sluice.steps.promote_region import catch_up, promote

pytestmark = pytest.mark.anyio


class OnThisHost(RegionCluster):
    """A region whose pod is a process of the test's; what it says of itself is its ConfigMap."""

    def __init__(self, side: Side, client: httpx.AsyncClient) -> None:
        nothing = Path("/nowhere")
        super().__init__(
            side.name, "sluice", client, kubectl=nothing, kubeconfig=nothing, namespace="x", services=[],
            ledger_copy=nothing, log=nothing,
        )  # fmt: skip
        self.side = side

    async def mark(self, marker: Marker) -> None:
        told = {key: value for key, value in marker.data("sluice").items() if not key.startswith("peer-")}
        await anyio.to_thread.run_sync(lambda: self.side.tell(**told))

    async def services(self, replicas: int, *, deadline_seconds: float) -> None:
        pass

    async def server(self, *, running: bool, deadline_seconds: float) -> None:
        assert not running
        await anyio.to_thread.run_sync(self.side.stop)

    async def sql(self, statement: str, *, deadline_seconds: float = 20) -> str:
        return await anyio.to_thread.run_sync(self.side.ask, statement)


async def test_what_was_written_before_the_fence_is_there_after_the_promotion(pair: Pair) -> None:
    east, west = pair
    for number in range(50):
        east.write(f"row-{number:02}")
    before = east.marks()
    async with httpx.AsyncClient() as client:
        old, new = OnThisHost(east, client), OnThisHost(west, client)
        wrote = await fence(old, 2, lambda _: None, deadline_seconds=30)
        assert east.decide(east.told["role"]).returncode == 78, "fenced: whatever starts it again does not write"
        found = await catch_up(new, wrote, deadline_seconds=30)
        await promote(new, 2, deadline_seconds=30)
        await promote(new, 2, deadline_seconds=30)  # of a run that was killed there
        assert (await new.database()).timeline == 2
    assert found.last_commit > 0
    assert west.marks() == before
    assert (west.told["role"], west.told["alone"]) == ("primary", "yes")
    west.stop()
    assert west.up("primary") == "west: goes on as the primary, alone"
    assert east.up("standby") == "east: follows after a rewind"


async def test_a_standby_that_lacks_something_is_not_taken_for_one_that_has_it(pair: Pair) -> None:
    east, west = pair
    west.stop()
    east.write("of east alone")
    async with httpx.AsyncClient() as client:
        wrote = await fence(OnThisHost(east, client), 2, lambda _: None, deadline_seconds=30)
        west.up("standby")
        with pytest.raises(NotReady) as caught:
            await catch_up(OnThisHost(west, client), wrote, deadline_seconds=2)
        assert f"of {wrote} bytes of WAL" in caught.value.seen
        found = await catch_up(OnThisHost(west, client), 0, deadline_seconds=30)
    assert found.at < wrote, "of a region that is lost it takes what there is"
