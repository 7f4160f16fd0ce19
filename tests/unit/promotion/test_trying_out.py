"""TryingOut: a canary where there is something to compare with, of what the target's own values render."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from tests.unit.promotion.canaries import Counts, FakeCluster, FakePrometheus, config, deployment
from tests.unit.promotion.proven import BACKEND, SERVICES

from sluice.adapters.helm.charts import Helm
from sluice.adapters.kubernetes.canary import ApiCanary
from sluice.domain import Image
from sluice.errors import ChartError
from sluice.promotion.model import Canary
from sluice.slo.load import load_slos
from sluice.steps.canary import canary
from sluice.trying_out import TryingOut

pytestmark = pytest.mark.anyio
SERVICE = SERVICES[0]
OLD = f"{BACKEND.repository}@sha256:old"
ONE_LOOK = Canary(steps=(50,), seconds=10.0)


def of_backend(value: Any) -> Any:
    return json.loads(json.dumps(value).replace('"api"', '"backend"'))


class Rig:
    """Something of everything that TryingOut works with; `rendered` is what the chart gives."""

    def __init__(self, counts: Counts) -> None:
        self.asked: list[tuple[str, str, str, Mapping[str, object], list[str]]] = []
        self.rendered_as = yaml.safe_dump_all([config("backend"), of_backend(deployment())]) + "---\n"
        self.cluster = FakeCluster()
        self.references: dict[str, tuple[str, ...]] = {"shop/backend/backend": (OLD,)}
        self.out = TryingOut(
            Path(__file__).parents[3],
            cast(Helm, self),
            cast(ApiCanary, self.cluster),
            FakePrometheus(lambda _: counts),
            ONE_LOOK,
            "shop",
            {"daprd": Image("daprd", "r/daprd", "sha256:d")},
            lambda chart: [Path(f"of-{chart}.yaml")],
            self.running,
            20.0,
            lambda _: None,
        )

    async def running(self) -> Mapping[str, Sequence[str]]:
        return self.references

    async def rendered(
        self,
        release: str,
        chart: str,
        namespace: str,
        *,
        values: Mapping[str, object],
        value_files: Sequence[Path] = (),
    ) -> str:
        self.asked.append((release, chart, namespace, values, [file.name for file in value_files]))
        return self.rendered_as


@pytest.fixture(autouse=True)
def _one_objective_and_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.trying_out.canary", partial(canary, poll_seconds=0))
    # The stand-in for Prometheus counts requests only.
    monkeypatch.setattr("sluice.trying_out.load_slos", lambda root: {"backend": load_slos(root)["backend"][:1]})


@pytest.fixture
def rig() -> Rig:
    return Rig({"canary-total": 100, "stable-total": 100})


async def test_a_new_image_is_tried_out_as_the_targets_own_values_render_it(rig: Rig) -> None:
    await rig.out.try_out(SERVICE, BACKEND)
    image = {"repository": BACKEND.repository, "digest": BACKEND.digest}
    assert rig.asked == [("backend", "helm/backend", "shop", {"image": image}, ["of-service-backend.yaml"])]
    assert rig.cluster.there == ["backend-canary", "backend-canary"], "its ConfigMap and its Deployment"
    [table] = rig.out.tables
    assert table.name == "canary-backend"
    await rig.out.end(SERVICE)
    assert rig.cluster.there == []


@pytest.mark.parametrize(
    "running",
    [
        {},
        {"shop/sync/sync": (OLD,), "shop/backend-canary/backend": (OLD,), "other/backend/backend": (OLD,)},
        {"shop/backend/backend": (BACKEND.reference,)},
    ],
    ids=["nothing runs", "another service", "it runs already"],
)
async def test_where_there_is_nothing_to_compare_there_is_no_canary(
    rig: Rig, running: dict[str, tuple[str, ...]]
) -> None:
    rig.references = running
    await rig.out.try_out(SERVICE, BACKEND)
    assert (rig.asked, rig.cluster.does, rig.out.tables) == ([], [], [])


async def test_one_that_does_worse_is_stopped_with_its_numbers_and_taken_away() -> None:
    rig = Rig({"canary-bad": 60, "canary-total": 100, "stable-total": 100})
    with pytest.raises(ChartError, match="the canary of backend was stopped at 50 %") as caught:
        await rig.out.try_out(SERVICE, BACKEND)
    assert "canary 60 of 100 bad, stable 0 of 100 bad" in caught.value.seen
    assert caught.value.next_command.startswith("kubectl --namespace shop")
    assert rig.cluster.there == []
    [table] = rig.out.tables
    assert any(row[-1] == "stopped" for row in table.rows), "its numbers are kept"


async def test_what_is_left_of_it_is_told_too() -> None:
    rig = Rig({"canary-bad": 60, "canary-total": 100, "stable-total": 100})
    taken_away = rig.cluster.remove

    async def remove(service: str, *, deadline_seconds: float) -> None:
        if rig.cluster.there:
            rig.cluster.refuses = ("remove",)
        await taken_away(service, deadline_seconds=deadline_seconds)

    rig.cluster.remove = remove  # type: ignore[method-assign]
    with pytest.raises(ChartError) as caught:
        await rig.out.try_out(SERVICE, BACKEND)
    assert "the API server refused to remove" in caught.value.seen


async def test_a_chart_without_a_deployment_is_told(rig: Rig) -> None:
    rig.rendered_as = yaml.safe_dump(config("backend"))
    with pytest.raises(ChartError, match="no canary can be made of what the chart of backend renders"):
        await rig.out.try_out(SERVICE, BACKEND)
    assert rig.cluster.there == []
