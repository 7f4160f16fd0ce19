"""Two kind clusters as two regions: raised, mended, removed. active.json says which is active; the other follows it.

May be run again at any time, also when it was killed, and after a switch: then the old side becomes the standby.
"""

import secrets
import shutil
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio

from sluice.adapters.kubernetes.manifests import Manifests
from sluice.adapters.kubernetes.pulling import pull_images
from sluice.adapters.kubernetes.region import RegionCluster, last_known
from sluice.adapters.waiting import until
from sluice.domain import Fixture, Image, Source
from sluice.errors import FailoverError, in_a_line
from sluice.region_release import forget_ledger, note_release, release_of
from sluice.region_tools import RegionTools
from sluice.regions import active as entry
from sluice.regions.active import Active
from sluice.regions.model import REGIONS, Marker, Seen, other
from sluice.run import begin
from sluice.steps.fence_region import UNKNOWN, fence
from sluice.steps.install_charts import SIDECARS, Installer, prepare
from sluice.steps.install_fixtures import ensure_passwords, provide
from sluice.steps.install_region import (
    MIRROR,
    in_a_region,
    install_region_fixture,
    install_region_service,
    share_secrets,
    shared_secrets,
)
from sluice.steps.install_secrets import install_secrets
from sluice.steps.look_at_region import look
from sluice.steps.mirror_lag import region_keys
from sluice.supply.workbench import in_engine

_REPLICATION = "postgresql-replication"
_FOLLOWS_SECONDS = 120.0


@dataclass(frozen=True)
class _Raised:
    """A region that is being raised."""

    region: RegionCluster
    installer: Installer
    secrets: Manifests

    @property
    def name(self) -> str:
        return self.region.name


class Regions:
    """The two regions of a tree."""

    def __init__(self, tools: RegionTools) -> None:
        self._tools = tools
        self._run, self._box, self._home = tools.run, tools.box, tools.home
        self._limits, self._spaces = tools.settings.deadlines, tools.settings.namespaces
        self._images: dict[str, dict[str, Image]] = {}

    async def up(self) -> Active:
        """Raise both, or mend what is there; returns which is active, when the other follows it.

        Raises FailoverError where the active one is gone, a switch is under way, or a Secret differs.
        """
        run, box = self._run, self._box
        known = entry.read(self._home)
        now = known or Active(REGIONS[0], 1)
        if now.switching:
            raise FailoverError(
                "a switch is under way",
                seen=now.switching,
                expected="one that ended",
                next_command=f"./nox -s failover -- --to {other(now.region)} --again {now.switching}",
            )
        source = await run.step("resolve source", box.resolve_source, deadline_seconds=60)
        await run.step("supply cluster", box.cluster_parts, deadline_seconds=self._limits.supply)
        services = await self._make_images(source)
        async with AsyncExitStack() as open_ways:
            primary = await self._raise(open_ways, now.region, source, first=known is None)
            await self._primary(primary, source, services, now, first=known is None)
            standby = await self._raise(open_ways, other(now.region), source, first=True)
            await self._standby(standby, primary, source, services, now)
        return now

    async def down(self) -> list[str]:
        """Remove both clusters and what this host knows of them, where they are ours; returns what was removed."""
        said = []
        await self._box.supply.get("kind")
        for name in REGIONS:
            if await (await self._box.provider(self._tools.cluster(name))).delete():
                said.append(f"removed the cluster {self._tools.cluster(name)}")
            forget_ledger(self._tools.ledger_copy(name))
        folder = entry.path_of(self._home).parent
        if folder.exists():
            shutil.rmtree(folder)
            said.append(f"removed {folder}")
        return said

    async def status(self) -> tuple[Active | None, list[Seen]]:
        """What the entry says, and each region as it is."""
        source = await self._run.step("resolve source", self._box.resolve_source, deadline_seconds=60)
        seen = []
        for name in REGIONS:
            known = partial(last_known, self._tools.ledger_copy(name))
            if not self._tools.kubeconfig(name).exists():
                seen.append(Seen(name, unreachable="there is no such cluster on this host"))
                continue
            async with self._tools.reached(name, source) as region:
                work = partial(look, region, known)
                seen.append(await self._run.step(f"ask {name}", work, deadline_seconds=90))
        return entry.read(self._home), seen

    async def _make_images(self, source: Source) -> dict[str, Image]:
        """All images that a region runs: returns the services' by name, and keeps the fixtures' by the fixture's."""
        run, box = self._run, self._box
        await run.step("supply images", box.image_parts, deadline_seconds=self._limits.supply)
        made = await run.step("build images", partial(box.build_images, source), deadline_seconds=self._limits.images)
        for one in self._fixtures(source, standby=True):
            work = partial(box.component_images, one.images)
            self._images[one.name] = await run.step(f"supply {one.name}", work, deadline_seconds=self._limits.supply)
        return {image.name: image for image in made.images}

    def _fixtures(self, source: Source, *, standby: bool) -> list[Fixture]:
        """What services require, in a region's shape, PostgreSQL first; the mirror too where the region stands by."""
        names = sorted({one.name for one in source.fixtures}, key=lambda name: (name != "postgresql", name))
        return [in_a_region(self._box.root, name) for name in (*names, *((MIRROR,) if standby else ()))]

    async def _raise(self, ways: AsyncExitStack, name: str, source: Source, *, first: bool) -> _Raised:
        """A region's cluster with its namespaces; without `first` one that is there and answers, or none."""
        cluster, run = self._tools.cluster(name), self._run
        provider = await self._box.provider(cluster)
        await run.step(f"wake {name}", provider.wake, deadline_seconds=self._limits.cluster)
        node = await in_engine(await self._box.engine(), await self._box.supply.get("node"))
        if not first and not (await provider.owned() and await provider.runs(node)):
            raise FailoverError(
                f"{name} is the active region, and its cluster is gone or another than this tree makes",
                seen=f"no container {provider.node} of {node} that answers",
                expected="the cluster with the data: a new one has none, and this one is not replaced",
                next_command=f"./nox -s failover -- --to {other(name)} --force   or, to begin anew, "
                "./nox -s regions -- down",
            )
        create = partial(self._box.create_cluster, name=cluster)
        made = await run.step(f"create {name}", create, deadline_seconds=self._limits.cluster)
        if made.created:
            forget_ledger(self._tools.ledger_copy(name))
        installer, secrets = await self._tools.installer(name)
        definitions = await self._box.definitions()
        ready = partial(prepare, installer, definitions)
        await run.step(f"prepare {name}", ready, deadline_seconds=self._limits.charts)
        region = await ways.enter_async_context(self._tools.reached(name, source))
        return _Raised(region, installer, secrets)

    async def _primary(
        self, at: _Raised, source: Source, services: Mapping[str, Image], now: Active, *, first: bool
    ) -> None:
        """The active region, with everything at work in it."""
        run, limit = self._run, self._limits.charts
        marker = await at.region.marker()
        if marker and (marker.role != "primary" or marker.epoch > now.epoch):
            raise _contradicted(at.name, entry.path_of(self._home), marker, f"the primary of epoch {now.epoch}")
        if marker is None:
            await at.region.mark(Marker(at.name, "primary", now.epoch, first=first, alone=first))
        make = partial(self._own_secrets, at, source)
        await run.step(f"make secrets of {at.name}", make, deadline_seconds=limit)
        await at.region.stop_mirror(deadline_seconds=limit)
        await self._install_fixtures(at, source, standby=False)
        await run.step(f"let {other(at.name)} follow", at.region.allow_following, deadline_seconds=90)
        postgresql = next((one for one in source.fixtures if one.each_service), None)
        for one in source.services:
            if postgresql and postgresql.name in one.requires:
                images = self._images[in_a_region(self._box.root, postgresql.name).name]
                work = partial(provide, at.installer, postgresql, one, self._spaces.services, images)
                await run.step(f"{postgresql.name} for {one.name} in {at.name}", work, deadline_seconds=limit)
        await self._install_services(at, source, services, replicas=1)
        await self._note(at, source, services)
        entry.write(self._home, now)

    async def _standby(
        self, at: _Raised, primary: _Raised, source: Source, services: Mapping[str, Image], now: Active
    ) -> None:
        """The region that stands by: a database and a broker that follow, services without pods."""
        run, limit = self._run, self._limits.charts
        marker = await at.region.marker()
        if marker and marker.epoch > now.epoch:
            raise _contradicted(at.name, entry.path_of(self._home), marker, f"at most epoch {now.epoch}")
        if marker and marker.role != "standby":  # the active one of before
            give_up = partial(self._give_up, at, now.epoch)
            await run.step(f"fence {at.name}", give_up, deadline_seconds=4 * limit)
        share = partial(
            share_secrets, primary.secrets, at.secrets, shared_secrets(source.services), self._spaces.services, at.name
        )
        await run.step(f"share secrets with {at.name}", share, deadline_seconds=limit)
        await self._mirror_keys(primary, at)
        await at.region.mark(Marker(at.name, "standby", now.epoch))
        await self._install_services(at, source, services, replicas=0)
        references = sorted({one.reference for one in self._run_by_services(source, services)})
        pull = partial(pull_images, at.region.client, self._spaces.services, references, deadline_seconds=limit)
        await run.step(f"pull images in {at.name}", pull, deadline_seconds=limit + 5)
        await self._install_fixtures(at, source, standby=True)

        async def follows() -> str | None:
            try:
                found = await at.region.database()
            except FailoverError as error:
                return in_a_line(error)
            return None if found.standby and found.streaming else f"it is at {found.at} and receives nothing"

        wait = partial(
            until, follows, deadline_seconds=_FOLLOWS_SECONDS, what=f"{at.name}'s database",
            next_command="kubectl logs postgresql-0 --all-containers, in both regions",
        )  # fmt: skip
        await run.step(f"await that {at.name} follows", wait, deadline_seconds=_FOLLOWS_SECONDS + 5)
        await self._note(at, source, services)
        # From now on there is somebody to be asked who is ahead.
        await primary.region.mark(Marker(primary.name, "primary", now.epoch))

    async def _give_up(self, at: _Raised, epoch: int) -> None:
        """Nothing of the old side works any more; its events are the new side's by now, or lost."""
        limit = self._limits.charts
        # Whether its database still answers is of no interest: it is rewound to what the other one has.
        await fence(at.region, epoch, lambda _: None, wrote=UNKNOWN, deadline_seconds=limit)
        await at.region.stop_mirror(deadline_seconds=limit)
        await at.region.empty("kafka", deadline_seconds=limit)

    async def _own_secrets(self, at: _Raised, source: Source) -> None:
        space = self._spaces.services
        await install_secrets(at.installer, space)
        for one in source.fixtures:
            await ensure_passwords(at.installer, one.name, space)
        await at.installer.manifests.ensure_secret(_REPLICATION, space, {"password": secrets.token_urlsafe(24)})
        await self._mirror_keys(at, None)

    async def _mirror_keys(self, active: _Raised, standby: _Raised | None) -> None:
        """What the mirror and the brokers show each other; the same in both regions."""
        cluster = self._tools.settings.cluster.name
        await region_keys(
            active.secrets, standby.secrets if standby else None, cluster, self._spaces.services, active.name
        )

    async def _install_fixtures(self, at: _Raised, source: Source, *, standby: bool) -> None:
        for one in self._fixtures(source, standby=standby):
            work = partial(install_region_fixture, at.installer, one, self._spaces.services, self._images[one.name])
            await self._run.step(f"install {one.name} in {at.name}", work, deadline_seconds=self._limits.charts)

    async def _install_services(
        self, at: _Raised, source: Source, services: Mapping[str, Image], *, replicas: int
    ) -> None:
        async with anyio.create_task_group() as group:
            for one in source.services:
                required = {
                    name: image
                    for needed in one.requires
                    for name, image in self._images[in_a_region(self._box.root, needed).name].items()
                }
                work = partial(
                    install_region_service, at.installer, one, self._spaces.services, services[one.name], required,
                    replicas=replicas, work=self._run.folder / "work" / f"values-{at.name}" / one.name,
                )  # fmt: skip
                step = partial(
                    self._run.step, f"install {one.name} in {at.name}", work, deadline_seconds=self._limits.charts
                )
                begin(group, step)

    def _run_by_services(self, source: Source, services: Mapping[str, Image]) -> list[Image]:
        """What services' pods run: their own images, and those beside them."""
        beside = {SIDECARS[needed] for one in source.services for needed in one.requires if needed in SIDECARS}
        found = [image for one in self._images.values() for name, image in one.items() if name in beside]
        return [*services.values(), *found]

    async def _note(self, at: _Raised, source: Source, services: Mapping[str, Image]) -> None:
        """Note in the region's ledger what is installed there and up."""
        images = [*services.values(), *(image for one in self._images.values() for image in one.values())]
        await note_release(
            at.region.client, self._spaces.services, at.name, self._tools.ledger_copy(at.name),
            release=release_of(self._box.root, images), revision=source.revision, run=self._run.id,
        )  # fmt: skip


def _contradicted(name: str, file: Path, marker: Marker, expected: str) -> FailoverError:
    return FailoverError(
        f"{name} says something else than {file}",
        seen=f"it is {marker.role} of epoch {marker.epoch}",
        expected=expected,
        next_command="./nox -s regions -- status; then write the file by what the regions say",
    )
