"""A canary's pods, the objects it is made of, and when its numbers stop it."""

import copy
import math
from decimal import Decimal
from pathlib import Path

import pytest
from tests.unit.promotion.canaries import config, deployment

from sluice.domain import dump, load
from sluice.errors import ChartError
from sluice.promotion.canary import (
    CanaryOutcome,
    Compared,
    Events,
    canary_objects,
    fisher_exact,
    judge,
    pods_at,
    row_of,
    table_of,
)
from sluice.promotion.canary_queries import countable, pods_of_canary, pods_of_stable
from sluice.slo.load import load_slos
from sluice.slo.model import Slo

ROOT = Path(__file__).parents[3]
SLOS = load_slos(ROOT)
BUDGET = Decimal("0.001")


@pytest.mark.parametrize(
    ("percent", "stable", "pods"),
    [(20, 1, 1), (50, 1, 1), (20, 4, 1), (50, 4, 4), (20, 8, 2), (20, 10, 2), (1, 3, 1), (99, 1, 99), (33, 10, 5)],
)
def test_a_step_has_so_many_pods_that_their_share_comes_near_to_it(percent: int, stable: int, pods: int) -> None:
    assert pods_at(percent, stable) == pods


def test_a_canary_is_the_new_deployment_under_another_name_that_selects_its_own_pods() -> None:
    given = deployment()
    before = copy.deepcopy(given)
    *_, made = canary_objects("api", given, (), namespace="shop", replicas=3)
    assert given == before, "what was given is used again for the next step"
    assert (made["metadata"]["name"], made["metadata"]["namespace"], made["spec"]["replicas"]) == (
        "api-canary",
        "shop",
        3,
    )
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "sluice", "it is of no release of helm's"
    both = {"app.kubernetes.io/name": "api", "track": "canary"}
    assert made["spec"]["selector"] == {"matchLabels": both}
    assert made["spec"]["template"]["metadata"]["labels"] == {**before["metadata"]["labels"], "track": "canary"}
    assert made["spec"]["template"]["spec"] == before["spec"]["template"]["spec"]


def test_the_new_configuration_comes_along_under_its_own_name() -> None:
    others = (config("api"), config("api-dapr"), config("of-somebody-else"))
    one, two, made = canary_objects("api", deployment(), others, namespace="shop", replicas=1)
    assert [each["metadata"]["name"] for each in (one, two)] == ["api-canary", "api-dapr-canary"]
    assert one["data"] == {"A": "new"}
    assert one["metadata"]["labels"]["track"] == "canary", "or nothing would find it to take it away"
    pod = made["spec"]["template"]["spec"]
    main = pod["containers"][0]
    assert main["envFrom"] == [{"configMapRef": {"name": "api-canary"}}, {"secretRef": {"name": "api"}}]
    assert main["env"][0]["valueFrom"]["configMapKeyRef"]["name"] == "api-canary"
    assert pod["initContainers"][0]["envFrom"] == [{"configMapRef": {"name": "api-canary"}}]
    assert [volume["configMap"]["name"] for volume in pod["volumes"]] == ["api-dapr-canary", "dapr-components"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("kind",), "StatefulSet"),
        (("metadata", "name"), "other"),
        (("spec", "template", "metadata", "labels"), {}),
        (("spec", "selector"), {}),
        (("spec", "template"), None),
    ],
)
def test_what_is_not_the_services_deployment_is_refused(path: tuple[str, ...], value: object) -> None:
    given = deployment()
    place = given
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ChartError, match="no canary can be made of what the chart of api renders"):
        canary_objects("api", given, (), namespace="shop", replicas=1)


def compared(canary: tuple[float, float], stable: tuple[float, float], *, budget: Decimal = BUDGET) -> Compared:
    return Compared("availability", budget, Events(*canary), Events(*stable))


@pytest.mark.parametrize(
    ("canary", "stable", "why"),
    [
        ((3, 200), (300, 20_000), "burns 15.0 times what is allowed, over 14.4"),
        ((3, 50), (0, 0), "burns 60.0 times"),  # with nothing beside it
        ((3, 10), (0, 90), "by chance in 0.0007 of cases"),  # too few to burn, and not by chance
        ((40, 4000), (80, 36_000), "by chance"),  # within its budget, and worse
    ],
)
def test_a_canary_that_burns_or_is_worse_beyond_chance_is_stopped(
    canary: tuple[float, float], stable: tuple[float, float], why: str
) -> None:
    found = judge([compared(canary, stable)], share=0.2, max_burn=14.4, ended=True)
    assert len(found.worse) == 1
    assert why in found.worse[0]


@pytest.mark.parametrize(
    ("canary", "stable"),
    [
        ((0, 50), (0, 200)),
        ((2, 50), (0, 50)),  # two are no trend
        ((2, 208), (5, 800)),  # under the limit, and no worse than what stands beside it
        ((3, 300), (0, 0)),
    ],
)
def test_a_canary_that_is_as_good_goes_on(canary: tuple[float, float], stable: tuple[float, float]) -> None:
    found = judge([compared(canary, stable)], share=0.2, max_burn=14.4, ended=True)
    assert (found.worse, found.few) == ((), ())


def test_a_look_in_the_middle_stops_only_what_is_beyond_doubt() -> None:
    doubtful = [compared((2, 40), (0, 400))]
    assert 0.001 < doubtful[0].chance < 0.01
    assert judge(doubtful, share=0.2, max_burn=14.4, ended=False).worse == ()
    assert judge(doubtful, share=0.2, max_burn=14.4, ended=True).worse != ()
    assert judge([compared((9, 10), (0, 400))], share=0.2, max_burn=14.4, ended=False).worse != ()


def test_more_objectives_do_not_make_a_false_alarm_likelier() -> None:
    doubtful = compared((2, 40), (0, 400))
    quiet = [compared((0, 400), (0, 400))] * 9
    assert judge([doubtful, *quiet], share=0.2, max_burn=14.4, ended=True).worse == ()


def test_too_few_events_are_no_pass() -> None:
    def few(*those: Compared) -> int:
        return len(judge(those, share=0.2, max_burn=14.4, ended=True).few)

    enough, silent, quiet = compared((0, 50), (0, 200)), compared((0, 0), (0, 5000)), compared((0, 3), (0, 12))
    assert few(enough) == 0
    assert few(silent) == 1, "the others' traffic does not reach it"
    assert few(silent, enough) == 1, "by the first one it has to be judged"
    assert few(quiet, enough) == 0, "unless its share of so little would not be enough either"
    assert few(quiet) == 1, "and nothing else to judge by"
    assert few() == 1


def test_another_objective_may_go_without_events_and_that_is_told() -> None:
    sockets = Compared("sockets", BUDGET, Events(0, 4), Events(0, 5000))
    found = judge([compared((0, 50), (0, 200)), sockets], share=0.2, max_burn=14.4, ended=True)
    assert (found.few, found.unjudged) == ((), ("sockets",))
    worse = Compared("sockets", BUDGET, Events(4, 4), Events(0, 5000))
    assert judge([compared((0, 50), (0, 200)), worse], share=0.2, max_burn=14.4, ended=True).worse != ()


@pytest.mark.parametrize(
    ("mine", "other"),
    [((3, 4), (1, 4)), ((5, 20), (2, 60)), ((1, 1), (0, 30)), ((7, 7), (0, 3)), ((12, 40), (20, 300))],
)
def test_fishers_exact_test_is_the_sum_over_all_that_could_be(mine: tuple[int, int], other: tuple[int, int]) -> None:
    bad, everything = mine[0] + other[0], mine[1] + other[1]
    ways = sum(
        math.comb(mine[1], k) * math.comb(other[1], bad - k) for k in range(mine[0], min(mine[1], bad) + 1)
    ) / math.comb(everything, bad)
    assert fisher_exact(Events(*mine), Events(*other)) == pytest.approx(ways)


def test_fishers_tea_and_what_is_not_worse() -> None:
    assert fisher_exact(Events(3, 4), Events(1, 4)) == pytest.approx(17 / 70)  # Fisher, The Design of Experiments, II
    assert fisher_exact(Events(1, 100), Events(1, 100)) == 1.0
    assert fisher_exact(Events(0, 0), Events(1, 100)) == 1.0
    assert fisher_exact(Events(9, 9), Events(0, 0)) == 1.0
    assert fisher_exact(Events(5000, 1e6), Events(0, 1e7)) < 1e-100


@pytest.mark.parametrize("service", SLOS)
def test_what_a_services_own_pods_count_is_compared_and_what_all_of_it_shows_is_not(service: str) -> None:
    found = {one.name for one in countable(SLOS[service])}
    assert countable(SLOS[service])[0].name == "availability"
    assert {slo.name for slo in SLOS[service]} - found == {slo.name for slo in SLOS[service] if not slo.ratio.counter}


def test_a_query_that_reads_something_else_too_is_not_told_apart_by_pods() -> None:
    given = SLOS["backend"][0].model_dump(by_alias=True, exclude_none=True)
    total = given["spec"]["indicator"]["spec"]["ratioMetric"]["total"]["metricSource"]["spec"]
    total["query"] += ' - on () group_left () sum(http_requests_total{service="backend"} offset 1d)'
    assert countable([Slo.model_validate(given)]) == ()


def test_the_matchers_are_put_into_every_selector_and_nowhere_else() -> None:
    one = next(one for one in countable(SLOS["backend"]) if one.name == "availability")
    side, total = one.queries(namespace="shop", pods=pods_of_canary("backend"), seconds=61.25)
    assert "increase" not in side
    selector = side.split("(((")[1].split(" - ")[0]
    assert selector.startswith('http_requests_total{service="backend",route!~"/faults/.*|')
    assert selector.endswith(',status=~"5..",namespace="shop",pod=~"backend-canary-.*"}')
    assert side.count(selector) == 3
    assert f"((({selector} - {selector} offset 61250ms) >= 0) or {selector})" in side
    assert total.startswith("sum by (namespace, service) (")
    stable, _ = one.queries(namespace="shop", pods=pods_of_stable("backend"), seconds=5)
    assert stable.count('pod!~"backend-canary-.*"') == 3


def test_good_events_leave_the_bad_ones_and_a_counter_that_is_not_born_has_none() -> None:
    objectives = {one.name: one for one in countable(SLOS["backend"])}
    bad, good = objectives["availability"], objectives["latency"]
    assert (bad.bad_of(3.0, 10.0), bad.bad_of(None, 10.0)) == (3.0, 0.0)
    assert (good.bad_of(7.0, 10.0), good.bad_of(None, 10.0), good.bad_of(11.0, 10.0)) == (3.0, 10.0, 0.0)


def test_an_outcome_is_written_and_read_back(tmp_path: Path) -> None:
    table = table_of("api", [row_of(20, "1 + 4", compared((3, 200), (0, 800)), "stopped")])
    outcome = CanaryOutcome("api", False, 20, "burns", table)
    file = tmp_path / "canary.json"
    file.write_bytes(dump(outcome))
    assert load(CanaryOutcome, file) == outcome
    row = ("20 %", "1 + 4", "availability", "3 of 200 bad", "15.0", "0 of 800 bad", "0.0079", "stopped")
    assert table.rows == (row,)
    assert len(table.columns) == len(row)
