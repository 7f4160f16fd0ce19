"""deploy_release: definitions first, the platform before the services, and a canary that is taken away in any case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.unit.promotion.proven import BACKEND, SERVICES, files_of, release_of

from sluice.domain import ChartRelease, Image, Service
from sluice.errors import ChartError, NotReady
from sluice.promotion.model import ClusterAccess
from sluice.steps.deploy_release import deploy_release
from sluice.steps.install_charts import Installer

pytestmark = pytest.mark.anyio

SYNC = replace(BACKEND, name="sync", repository="localhost:5001/sync")
OTHERS = ("prometheus", "loki", "grafana", "daprd")
RELEASE = replace(
    release_of(files_of()),
    images=(BACKEND, SYNC),
    components=tuple(Image(name, f"localhost:5001/{name}", f"sha256:{name}") for name in OTHERS),
    services=(SERVICES[0], replace(SERVICES[0], name="sync", chart="helm/sync", requires=("dapr",))),
)
SPACES = ClusterAccess("gke", services="shop", monitoring="watch", logging="logs")


@dataclass
class Target:
    """Implements Charts, Manifests, RolledOut and Canaries; `done` has everything in order."""

    done: list[str] = field(default_factory=list)
    values: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    refuses: str = ""
    stops: str = ""
    waits_for: anyio.Event | None = None

    async def apply(self, path: Path, *, server_side: bool = True) -> None:
        self.done.append(f"apply {path.name}")

    async def ensure_secret(
        self, name: str, namespace: str, values: Mapping[str, str], *, kind: str = "Opaque"
    ) -> None:
        self.done.append(f"secret {namespace}/{name}")

    async def apply_fixture(self, *_: Any, **__: Any) -> tuple[str, ...]:
        raise AssertionError("what a target has already is not deployed")

    apply_for_service = apply_fixture

    async def installed(self, release: str, namespace: str) -> bool:
        return True

    async def install(
        self,
        release: str,
        chart: str,
        namespace: str,
        *,
        values: Mapping[str, object],
        value_files: Sequence[Path] = (),
    ) -> ChartRelease:
        await anyio.lowlevel.checkpoint()
        if release == self.refuses:
            raise ChartError(f"the chart {chart} does not install as {release}")
        if release == "backend" and self.waits_for:
            await self.waits_for.wait()
        if release == "sync" and self.waits_for:
            self.waits_for.set()
        self.done.append(f"install {namespace}/{release}")
        self.values[release] = values
        return ChartRelease(release, namespace, 1)

    async def __call__(self, namespace: str, *, expect: Sequence[str] = (), selector: str = "") -> None:
        self.done.append(f"up {namespace} {selector}".strip())

    async def try_out(self, service: Service, image: Image) -> None:
        self.done.append(f"try {service.name} {image.name}")
        if service.name == self.stops:
            raise ChartError(f"the canary of {service.name} was stopped at 20 %")

    async def end(self, service: Service) -> None:
        await anyio.lowlevel.checkpoint()
        self.done.append(f"end {service.name}")


async def deploy(target: Target, *, canary: bool = False, said: list[str] | None = None) -> list[str]:
    installer = Installer(Path("content"), target, target, target, lambda _: ())
    with anyio.fail_after(20):
        await deploy_release(
            installer,
            RELEASE,
            SPACES,
            definitions=Path("content/crds"),
            canary=target if canary else None,
            say=(said if said is not None else []).append,
        )
    return target.done


async def test_definitions_come_first_then_the_platform_then_the_services() -> None:
    said: list[str] = []
    done = await deploy(Target(), said=said)
    assert done[:2] == ["apply namespaces.yaml", "apply crds"]
    platform = {"secret watch/grafana", "install watch/monitoring", "up watch", "install logs/logging", "up logs"}
    assert set(done[2:7]) == platform
    assert set(done[7:]) == {
        "install shop/backend",
        "up shop app.kubernetes.io/instance=backend",
        "install shop/sync",
        "up shop app.kubernetes.io/instance=sync",
    }
    assert said == ["monitoring and logging", "services"]


async def test_each_chart_is_given_the_images_of_the_release_by_digest() -> None:
    target = Target()
    await deploy(target)
    of = {name: {"repository": f"localhost:5001/{name}", "digest": f"sha256:{name}"} for name in OTHERS}
    assert target.values["monitoring"] == {
        "images": {"prometheus": of["prometheus"], "grafana": of["grafana"]},
        "grafana": {"enabled": True},
    }
    assert target.values["logging"] == {"images": {"loki": of["loki"]}}
    assert target.values["backend"] == {"image": {"repository": BACKEND.repository, "digest": BACKEND.digest}}
    assert target.values["sync"]["dapr"] == {"image": of["daprd"]}


async def test_services_go_side_by_side() -> None:
    done = await deploy(Target(waits_for=anyio.Event()))
    assert done.index("install shop/sync") < done.index("install shop/backend"), "the first waits for the last here"


async def test_a_chart_that_is_refused_fails_it_before_the_services_are_touched() -> None:
    target = Target(refuses="logging")
    with pytest.raises(ExceptionGroup) as caught:
        await deploy(target)
    assert caught.group_contains(ChartError, match="does not install as logging")
    assert [one for one in target.done if "shop" in one] == []


async def test_canaries_go_one_after_the_other_and_each_is_ended() -> None:
    said: list[str] = []
    done = await deploy(Target(), canary=True, said=said)
    assert done[7:] == [
        "try backend backend",
        "install shop/backend",
        "up shop app.kubernetes.io/instance=backend",
        "end backend",
        "try sync sync",
        "install shop/sync",
        "up shop app.kubernetes.io/instance=sync",
        "end sync",
    ]
    assert said == ["monitoring and logging", "backend: canary", "sync: canary"]


async def test_one_that_is_stopped_leaves_the_service_and_those_after_it_as_they_are() -> None:
    target = Target(stops="backend")
    with pytest.raises(ChartError, match="canary of backend was stopped"):
        await deploy(target, canary=True)
    assert target.done[7:] == ["try backend backend"]


async def test_a_canary_is_ended_where_its_service_does_not_install() -> None:
    target = Target(refuses="backend")
    with pytest.raises(ChartError, match="does not install as backend"):
        await deploy(target, canary=True)
    assert target.done[7:] == ["try backend backend", "end backend"]


async def test_a_canary_is_ended_where_the_deploy_is_cancelled() -> None:
    target = Target()
    up = target.__class__.__call__

    class Hangs(Target):
        async def __call__(self, namespace: str, *, expect: Sequence[str] = (), selector: str = "") -> None:
            await up(self, namespace, expect=expect, selector=selector)
            if namespace == "shop":
                scope.cancel()
                await anyio.lowlevel.checkpoint()
                raise NotReady("it went on")

    hangs = Hangs()
    with anyio.CancelScope() as scope:
        await deploy(hangs, canary=True)
    assert scope.cancelled_caught
    assert hangs.done[-1] == "end backend"
