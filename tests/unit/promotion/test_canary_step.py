"""The canary step: it goes on by numbers alone, and whatever stops it, the canary is gone afterwards."""

from collections.abc import Sequence
from math import nan
from pathlib import Path

import anyio
import pytest
from tests.unit.promotion.canaries import Counts, FakeCluster, FakePrometheus, config, deployment

from sluice.errors import ChartError, ClusterError, EvidenceError
from sluice.promotion.canary import CanaryOutcome
from sluice.promotion.canary_queries import Countable, countable
from sluice.promotion.model import Canary
from sluice.slo.load import load_slos
from sluice.steps.canary import canary, remove

pytestmark = pytest.mark.anyio

# Those of a service of the tree, under the name of the one that these tests make a canary of.
AVAILABILITY = countable(load_slos(Path(__file__).parents[3])["backend"])[:1]
PLAN = Canary(steps=(20, 50), seconds=60.0)


def always(**counts: float) -> FakePrometheus:
    return FakePrometheus(lambda _: {name.replace("_", "-"): value for name, value in counts.items()})


def well() -> FakePrometheus:
    return always(canary_total=100, stable_bad=0, stable_total=400)


async def run(
    cluster: FakeCluster,
    metrics: FakePrometheus,
    *,
    said: list[str] | None = None,
    objectives: Sequence[Countable] = AVAILABILITY,
    deadline_seconds: float = 60.0,
) -> CanaryOutcome:
    return await canary(
        "api",
        deployment(),
        PLAN,
        objectives=objectives,
        cluster=cluster,
        metrics=metrics,
        namespace="shop",
        deadline_seconds=deadline_seconds,
        say=(said if said is not None else []).append,
        config=[config("api")],
        poll_seconds=0,
    )


async def test_it_goes_from_step_to_step_and_stays() -> None:
    cluster, said = FakeCluster(), list[str]()
    outcome = await run(cluster, well(), said=said)
    assert (outcome.went_on, outcome.step, outcome.reason) == (True, 50, "every step went well")
    assert cluster.does == ["remove", "apply 1", "apply 4"], "first what an earlier run left goes away"
    assert cluster.there == ["api-canary", "api-canary"], "until the stable pods are changed"
    assert [row[:4] for row in outcome.table.rows] == [
        ("20 %", "1 + 4", "availability", "0 of 100 bad"),
        ("50 %", "4 + 4", "availability", "0 of 100 bad"),
    ]
    assert said[0] == "api: canary at 20 %: 1 pod beside 4"
    await remove("api", cluster=cluster)
    assert cluster.there == []


async def test_each_step_is_looked_at_for_as_long_as_planned_and_by_its_own_window() -> None:
    metrics = well()
    await run(FakeCluster(), metrics)
    windows = [query.split("offset ")[1].split("ms")[0] for query in metrics.asked]
    looks = [str(10_000 * look) for look in range(1, 7)]
    assert list(dict.fromkeys(windows)) == looks
    assert windows.count("60000") == 8, "two steps, two sides, two counts"


async def test_a_step_without_more_pods_is_not_looked_at_again() -> None:
    cluster = FakeCluster(stable=1)
    outcome = await run(cluster, well())
    assert outcome.went_on
    assert cluster.does == ["remove", "apply 1"]
    assert outcome.table.rows[-1][-1] == "as the step before"


async def test_one_that_burns_is_stopped_before_its_time_and_taken_away() -> None:
    cluster = FakeCluster()
    bad: Counts = {"canary-bad": 9, "canary-total": 60, "stable-bad": 0, "stable-total": 240}
    metrics = FakePrometheus(lambda at: bad if at >= 20 else {})
    outcome = await run(cluster, metrics)
    assert not outcome.went_on
    assert (outcome.step, outcome.left) == (20, "")
    assert outcome.reason == (
        "availability: canary 9 of 60 bad, stable 0 of 240 bad; burns 150.0 times what is allowed, over 14.4"
    )
    assert metrics.now < 1_000_000 + 60, "its time was not over yet"
    assert cluster.does == ["remove", "apply 1", "remove"]
    assert outcome.table.rows[0][3:] == ("9 of 60 bad", "150.0", "0 of 240 bad", "3.1e-07", "stopped")


async def test_one_that_goes_bad_in_its_second_step_is_stopped_there() -> None:
    bad = {"canary-bad": 9, "canary-total": 60, "stable-total": 240}
    metrics = FakePrometheus(lambda at: {"canary-total": 60, "stable-total": 240} if at <= 60 else bad)
    outcome = await run(FakeCluster(), metrics)
    assert (outcome.went_on, outcome.step) == (False, 50)
    assert [row[-1] for row in outcome.table.rows] == ["went on", "stopped"]


@pytest.mark.parametrize("counts", [{"stable-total": 400.0}, {"canary-total": 49.0, "stable-total": 400.0}, {}])
async def test_too_little_traffic_is_waited_for_and_then_no_pass(counts: Counts) -> None:
    cluster, metrics = FakeCluster(), FakePrometheus(lambda _: counts)
    outcome = await run(cluster, metrics)
    assert not outcome.went_on
    had = f"{counts.get('canary-total', 0):.0f}"
    assert outcome.reason == f"too little traffic to judge: availability: the canary had {had} of 50 events"
    assert metrics.now == 1_000_010 + 60 + 60, "its time, and the deadline"
    assert cluster.there == []
    assert outcome.table.rows[0][-1] == "too little traffic to judge; few events"


async def test_traffic_that_comes_late_is_enough() -> None:
    metrics = FakePrometheus(lambda at: {"canary-total": 100, "stable-total": 400} if at >= 90 else {})
    assert (await run(FakeCluster(), metrics)).went_on


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ({"canary-total": nan}, "cannot be judged: nan"),
        (EvidenceError("Prometheus did not answer", seen="ConnectError"), "Prometheus did not answer: ConnectError"),
    ],
)
async def test_what_is_not_measured_is_no_pass(counts: Counts | Exception, why: str) -> None:
    cluster = FakeCluster()
    outcome = await run(cluster, FakePrometheus(lambda _: counts))
    assert not outcome.went_on
    assert outcome.reason.startswith("the canary cannot be looked at: ")
    assert why in outcome.reason
    assert cluster.there == []


async def test_a_prometheus_that_misses_a_look_is_asked_again() -> None:
    away = EvidenceError("Prometheus did not answer")
    metrics = FakePrometheus(lambda at: away if at % 30 == 20 else {"canary-total": 100, "stable-total": 400})
    assert (await run(FakeCluster(), metrics)).went_on
    busy = ClusterError("the API server refused pods", seen="503")
    assert (await run(FakeCluster(troubles=[busy, busy, "", busy]), well())).went_on
    assert (await run(FakeCluster(troubles=[busy] * 3), well())).reason.endswith("the API server refused pods: 503")


async def test_a_pod_that_crashes_stops_it_at_once_with_its_last_words() -> None:
    cluster = FakeCluster(troubles=["", "pod shop/api-canary-1 is Running\n| KeyError: 'DSN'"])
    metrics = well()
    outcome = await run(cluster, metrics)
    assert not outcome.went_on
    assert "KeyError: 'DSN'" in outcome.reason
    assert metrics.now == 1_000_010, "one look"
    assert cluster.there == []


async def test_a_pod_that_does_not_start_stops_it() -> None:
    cluster = FakeCluster(not_ready="api is waiting, ImagePullBackOff")
    outcome = await run(cluster, well())
    assert outcome.reason == "the canary of api will not become ready: api is waiting, ImagePullBackOff"
    assert (outcome.went_on, cluster.there) == (False, [])


async def test_without_anything_to_compare_with_or_by_there_is_no_canary() -> None:
    cluster = FakeCluster(stable=0)
    assert (await run(cluster, well())).reason == "nothing to compare with: api has no available pod"
    outcome = await run(cluster, well(), objectives=())
    assert outcome.reason == "nothing to compare by: no SLO of api counts events by pod"
    assert not any(done.startswith("apply") for done in cluster.does)


async def test_one_that_cannot_be_taken_away_is_told() -> None:
    cluster = FakeCluster(not_ready="it crashes")

    class Kept(FakeCluster):
        async def remove(self, service: str, *, deadline_seconds: float) -> None:
            if "apply 1" in cluster.does:
                self.refuses = ("remove",)
            await super().remove(service, deadline_seconds=deadline_seconds)

    kept = Kept(not_ready="it crashes", does=cluster.does)
    outcome = await run(kept, well())
    assert outcome.left == "the API server refused to remove: 403: forbidden; next: kubectl auth can-i"
    assert kept.there != []


async def test_what_an_earlier_run_left_and_cannot_be_taken_away_is_an_error() -> None:
    cluster = FakeCluster(refuses=("remove",))
    with pytest.raises(ClusterError, match="refused to remove"):
        await run(cluster, well())
    assert cluster.does == []


async def test_an_unfit_chart_is_told_before_anything_is_touched() -> None:
    cluster = FakeCluster()
    with pytest.raises(ChartError):
        await canary(
            "other", deployment(), PLAN, objectives=AVAILABILITY, cluster=cluster, metrics=well(), namespace="shop",
            deadline_seconds=1, say=lambda _: None,
        )  # fmt: skip
    assert cluster.does == []


async def test_one_that_is_cancelled_is_taken_away_all_the_same() -> None:
    cluster, said = FakeCluster(), list[str]()

    with anyio.CancelScope() as scope:

        def give_up(at: float) -> Counts:
            scope.cancel()
            return {}

        await run(cluster, FakePrometheus(give_up), said=said)
    assert scope.cancelled_caught
    assert cluster.does == ["remove", "apply 1", "remove"]
    assert said[-1] == "api: canary given up, and taken away"
