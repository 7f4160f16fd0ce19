"""Whether a target does as it should: what is not measured is never well, and the past speaks against nobody."""

from dataclasses import replace
from math import inf, nan

import pytest
from tests.unit.gate.samples import result
from tests.unit.promotion.levels import AVAILABILITY, BEGAN, Prometheus, level

from sluice.domain import Image, Series, SuiteResults, TestResult
from sluice.errors import ClusterError, EvidenceError, SluiceError
from sluice.steps.verify_target import Level, Verified, images_against, verify_target

pytestmark = pytest.mark.anyio

DIGEST, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
API, LOKI = Image("api", "r:5443/api", DIGEST), Image("loki", "r:5443/loki", DIGEST)
ALERT = {"alertname": "ErrorBudgetBurn", "severity": "critical", "service": "api"}


def results(*given: TestResult, exit_status: int = 0) -> SuiteResults:
    return SuiteResults(0.0, 1.0, given or (result("test_create", "api"), result("test_read", "api")), exit_status)


async def verify(
    metrics: Prometheus | None = None, smoked: SuiteResults | None = None, *runs: str, ran: list[str] | None = None
) -> Verified:
    async def running() -> dict[str, tuple[str, ...]]:
        return {"shop/api/api": runs or (API.reference,)}

    async def smoke() -> SuiteResults:
        (ran if ran is not None else []).append("smoke")
        return smoked or results()

    return await verify_target(
        running=running, images=(API, LOKI), services=["api"], smoke=smoke, level=level(metrics or Prometheus())
    )


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ((API.reference,), []),
        ((API.reference, f"r:5443/daprd@{OTHER}", "elsewhere/loki:1"), []),
        ((), ["nothing runs api"]),
        ((f"elsewhere/api@{DIGEST}",), ["nothing runs api"]),
        ((f"r:5443/api@{OTHER}",), [f"api runs as {OTHER[:19]}, not {DIGEST[:19]}"]),
        ((API.reference, f"r:5443/api@{OTHER}"), [f"api runs as {OTHER[:19]}, not {DIGEST[:19]}"]),
        (("r:5443/api:1.2",), [f"api runs as 1.2, not {DIGEST[:19]}"]),
        (("r:5443/api",), [f"api runs as whatever is newest, not {DIGEST[:19]}"]),
        ((API.reference, "r:5443/loki:3"), [f"loki runs as 3, not {DIGEST[:19]}"]),
    ],
)
def test_what_runs_and_should_not_is_told(runs: tuple[str, ...], said: list[str]) -> None:
    assert images_against((API, LOKI), ["api"], {"shop/api/api": runs}) == said


async def test_a_target_that_does_as_it_should_is_verified() -> None:
    found = await verify(Prometheus(bad=1.0))
    assert found.against == ()
    [(name, burn)] = found.burns.items()
    assert name == f"api {AVAILABILITY[0].name}"
    assert burn == pytest.approx(0.001 / float(AVAILABILITY[0].budget))
    assert found.summary == f"2 smoke tests passed, the fastest burn {burn:.2g} of {name}"


async def test_other_images_end_it_before_anything_is_tested() -> None:
    ran: list[str] = []
    found = await verify(None, None, f"r:5443/api@{OTHER}", ran=ran)
    assert found.against == (f"api runs as {OTHER[:19]}, not {DIGEST[:19]}",)
    assert (found.tests, ran) == (None, [])
    assert found.summary == found.against[0]


async def test_a_cluster_that_does_not_say_what_runs_is_no_pass() -> None:
    async def running() -> dict[str, tuple[str, ...]]:
        raise ClusterError("the API server refused the deployments of shop")

    async def smoke() -> SuiteResults:
        raise AssertionError("it is not known what would be tested")

    with pytest.raises(ClusterError):
        await verify_target(running=running, images=(), services=[], smoke=smoke, level=level(Prometheus()))


@pytest.mark.parametrize(
    ("smoked", "said"),
    [
        (
            results(result("test_read", "api", "failed", "AssertionError: 503\nmore")),
            ["test_read failed: AssertionError"],
        ),
        (results(result("test_read", "api", "error"), exit_status=1), ["test_read error: no message"]),
        (results(exit_status=3), ["the smoke tests did not run: exit status 3"]),
        (SuiteResults(0.0, 1.0, (), 5), ["the smoke tests did not run: exit status 5"]),
        (SuiteResults(0.0, 1.0, (), 0), ["the smoke tests did not run: exit status 0"]),
        (results(result("test_read", "api", "skipped")), ["the smoke tests did not run: exit status 0"]),
    ],
    ids=["failed", "error", "status", "none", "none and well", "skipped"],
)
async def test_smoke_tests_that_do_not_pass_are_told(smoked: SuiteResults, said: list[str]) -> None:
    found = await verify(None, smoked)
    assert len(found.against) == len(said)
    assert all(expected in one for expected, one in zip(said, found.against, strict=True))
    assert found.tests == smoked
    assert found.burns, "its service level is looked at all the same"


async def test_many_failed_tests_are_counted_and_not_all_told() -> None:
    found = await verify(None, results(*(result(f"test_{n}", "api", "failed", "x" * 999) for n in range(5))))
    assert [one.partition(" ")[0] for one in found.against] == ["test_api.py::test_0", "test_api.py::test_1",
        "test_api.py::test_2", "2"]  # fmt: skip
    assert found.against[-1] == "2 more smoke tests failed"
    assert max(map(len, found.against)) < 300


async def test_skipped_tests_are_not_counted_as_passed() -> None:
    found = await verify(None, results(result("test_read", "api"), result("test_write", "api", "skipped")))
    assert found.summary.startswith("1 smoke tests passed")


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (Prometheus(away="time()"), "Prometheus could not be asked: Prometheus did not answer: ConnectError"),
        (Prometheus(clock=()), "Prometheus could not be asked: ValueError"),
        (Prometheus(away="up{"), "Prometheus could not be asked: Prometheus did not answer"),
        (Prometheus(away="5.."), "Prometheus could not be asked: Prometheus did not answer"),
        (Prometheus(away="ALERTS"), "Prometheus could not be asked: Prometheus did not answer"),
        (Prometheus(total=nan), "[nan], not one number"),
        (Prometheus(bad=nan), "[nan], not one number"),
        (Prometheus(total=inf), "[inf], not one number"),
        (Prometheus(jobs=()), "api is not scraped"),
        (Prometheus(jobs=("other",)), "api is not scraped"),
        (Prometheus(scraped=lambda now: now), "api is not scraped"),
        (Prometheus(scraped=lambda _: nan), "api is not scraped"),
        (Prometheus(up=0.0), "a pod of api is down"),
        (Prometheus(up=nan), "a pod of api is down"),
    ],
    ids=["away", "no time", "up away", "counts away", "alerts away", "total NaN", "bad NaN", "infinite", "no target",
         "other targets", "old scrape", "no time of it", "down", "up NaN"],
)  # fmt: skip
async def test_what_is_not_measured_is_never_verified(metrics: Prometheus, said: str) -> None:
    found = await verify(metrics)
    [reason] = found.against
    assert said in reason
    assert found.summary == reason


async def test_a_prometheus_that_goes_away_during_the_tests_does_not_verify() -> None:
    metrics = Prometheus()

    async def running() -> dict[str, tuple[str, ...]]:
        return {"shop/api/api": (API.reference,)}

    async def smoke() -> SuiteResults:
        metrics.away = "time()"
        return results(result("test_read", "api", "failed", "503"))

    found = await verify_target(running=running, images=(API,), services=["api"], smoke=smoke, level=level(metrics))
    assert [one.partition(":")[0] for one in found.against] == ["test_api.py", "Prometheus could not be asked"]


async def test_a_scrape_after_the_tests_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.steps.verify_target._POLL_SECONDS", 0.0)
    looks: list[float] = []

    def scraped(now: float) -> float:
        looks.append(now)
        return now + (1 if len(looks) == 3 else -1)

    said: list[str] = []
    reasons, burns = await level(Prometheus(scraped=scraped), said, deadline_seconds=60).against(BEGAN)
    assert (reasons, len(looks)) == ([], 3)
    assert said == ["waiting: api is not scraped"] * 2
    assert burns


class Away(Prometheus):
    """One that misses the first questions."""

    def __init__(self, misses: int, error: SluiceError) -> None:
        super().__init__()
        self.misses, self.error = misses, error

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        self.misses -= 1
        if self.misses >= 0:
            raise self.error
        return await super().instant(query, at=at)


@pytest.mark.parametrize("error", [EvidenceError("Prometheus did not answer"), ClusterError("the API server is busy")])
async def test_a_prometheus_that_misses_a_moment_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, error: SluiceError
) -> None:
    monkeypatch.setattr("sluice.steps.verify_target._POLL_SECONDS", 0.0)
    said: list[str] = []
    reasons, burns = await level(Away(2, error), said, deadline_seconds=60).against(BEGAN)
    assert reasons == []
    assert burns
    assert said == [f"waiting: Prometheus could not be asked: {error.failed}"] * 2
    said.clear()
    assert await level(Away(2, error), said, deadline_seconds=60).begun() == BEGAN
    assert said == [f"waiting for Prometheus: {error.failed}"] * 2


@pytest.mark.parametrize("error", [EvidenceError("Prometheus did not answer"), ClusterError("the API server is busy")])
async def test_one_that_stays_away_is_no_pass_whoever_says_so(error: SluiceError) -> None:
    found = await verify(Away(99, error))
    assert found.against == (f"Prometheus could not be asked: {error.failed}",)


async def test_a_budget_that_burns_too_fast_is_told_with_its_numbers() -> None:
    [said] = (await verify(Prometheus(bad=20.0))).against
    assert said.startswith(f"api burns its budget of {AVAILABILITY[0].name} ")
    assert said.endswith("over 14.4: 20 of 1000 bad")


@pytest.mark.parametrize(("bad", "against"), [(2.0, 0), (3.0, 1)])
async def test_a_burn_of_fewer_than_three_bad_events_does_not_count(bad: float, against: int) -> None:
    found = await verify(Prometheus(total=10.0, bad=bad))
    assert len(found.against) == against
    assert max(found.burns.values()) > 14.4


@pytest.mark.parametrize(("bad", "against"), [(14.0, 0), (15.0, 1)])
async def test_a_burn_counts_above_what_is_allowed(bad: float, against: int) -> None:
    budgeted = replace(AVAILABILITY[0], budget=type(AVAILABILITY[0].budget)("0.001"))
    looked = Level(Prometheus(bad=bad), {"api": [budgeted]}, "shop", 14.4, 0.0, lambda _: None)
    reasons, burns = await looked.against(BEGAN)
    assert len(reasons) == against
    assert list(burns.values()) == pytest.approx([bad])


@pytest.mark.parametrize("total", [None, 0.0])
async def test_an_objective_without_events_has_no_burn(total: float | None) -> None:
    found = await verify(Prometheus(total=total, bad=None))
    assert (found.against, found.burns) == ((), {})
    assert found.summary == "2 smoke tests passed"


async def test_events_are_counted_from_the_deploys_end_on_and_of_all_pods() -> None:
    metrics = Prometheus()
    reasons, _ = await level(metrics).against(BEGAN - 100)
    counted = [query for query in metrics.asked if "offset" in query]
    assert reasons == []
    assert counted
    # Asked at 10 s for the scrapes, at 20 s for the events: 110 s after what `since` says.
    assert all("offset 110000ms" in query and 'namespace="shop",pod!=""' in query for query in counted)


@pytest.mark.parametrize(
    ("since", "counts"),
    [(BEGAN - 0.1, False), (BEGAN, True), (BEGAN + 5, True), (0.0, True), (nan, True)],
    ids=["before", "at once", "after", "no time", "NaN"],
)
async def test_alerts_that_were_active_before_do_not_count_and_others_do(since: float, counts: bool) -> None:
    metrics = Prometheus(alerts=[(ALERT, since), ({**ALERT, "slo": "other"}, BEGAN - 999)])
    found = await verify(metrics)
    assert found.against == (("the alert ErrorBudgetBurn fires for api",) if counts else ())


async def test_only_critical_alerts_of_the_services_are_asked_for() -> None:
    metrics = Prometheus()
    await verify(metrics)
    asked = [query for query in metrics.asked if query.startswith("ALERTS")]
    assert len(asked) == 2
    assert all('severity="critical", service=~"api"' in query for query in asked)


async def test_everything_against_it_is_told_at_once() -> None:
    found = await verify(Prometheus(bad=500.0, alerts=[(ALERT, BEGAN)]), results(result("test_read", "api", "failed")))
    assert len(found.against) == 3
    assert found.summary == "; ".join(found.against)
