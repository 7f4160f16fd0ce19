"""A timeline out of all that may know: in order, masked, and who did not answer is named."""

import anyio
import pytest
from tests.unit.delivery.books import Book
from tests.unit.fakes import FakeWorkloads
from tests.unit.incident.witnesses import Lines, Receiver, Told, witnesses

from sluice.domain import Series
from sluice.errors import LedgerError
from sluice.incident.model import Burnt, Incident
from sluice.incident.window import Window
from sluice.masking import masker
from sluice.ports import ClusterEvent, HeldAlert, LogLine, Silence
from sluice.steps.collect_incident import Witnesses, collect_incident

pytestmark = pytest.mark.anyio
WHEN = Window(10_000.0, 13_600.0)
ALERT = {"alertname": "Down", "alertstate": "firing", "severity": "critical", "service": "backend"}
ALWAYS = "alerts on logs that are over"


async def asked(ask: Witnesses, when: Window = WHEN, **given: float) -> Incident:
    mask = masker(["hunter2hunter2"])
    return await collect_incident(ask, when, of="gke", namespace="tasks", now=14_000.0, mask=mask, **given)


def missing(found: Incident) -> list[str]:
    return [one.what for one in found.missing]


async def test_what_happened_is_in_order_whoever_told_it() -> None:
    points = tuple((11_000.0 + 15 * number, 1.0) for number in range(10))
    restarts = Series({"namespace": "tasks", "pod": "b-1", "container": "b"}, ((10_000.0, 0.0), (10_900.0, 1.0)))
    errors = Series({"service": "backend", "level": "ERROR", "namespace": "tasks"}, ((11_100.0, 50.0),))
    burn = Series({"service": "backend", "slo": "availability"}, ((11_050.0, 30.0),))
    found = await asked(
        witnesses(
            metrics=Told({
                "ALERTS{": (Series(ALERT, points),),
                "restarts_total": (restarts,),
                "group_left": (burn,),
            }),
            logs=Lines(counted=(errors,)),
            cluster=FakeWorkloads(event_list=(ClusterEvent(10_800.0, "tasks", "Pod", "b-1", True, "Unhealthy", "x"),)),
            alerting=Receiver(
                held=(HeldAlert(12_000.0, {"alertname": "SecretInLogs", "severity": "critical"}, "active"),),
                quiet=(Silence(12_100.0, 15_000.0, "ada", "known", 'alertname="Down"'),),
            ),
            entries=Book().had("A", 0.0).had("B", 10_500.0).entries,
        )
    )  # fmt: skip
    assert [(one.at, one.kind) for one in found.timeline] == [
        (10_500.0, "promotion"),
        (10_560.0, "promotion"),
        (10_620.0, "promotion"),
        (10_680.0, "promotion"),
        (10_800.0, "kubernetes"),
        (10_900.0, "restart"),
        (11_000.0, "alert"),
        (11_040.0, "log spike"),
        (11_050.0, "slo"),
        (11_135.0, "alert"),
        (12_000.0, "alert"),
        (12_100.0, "silence"),
    ]
    assert dict(found.facts)["release at the beginning"].startswith("id-A, verified")


async def test_who_does_not_answer_is_named_and_takes_nobody_along() -> None:
    found = await asked(
        witnesses(
            metrics=Told(broken=True),
            logs=Lines(broken=True),
            cluster=FakeWorkloads(broken=frozenset({"events"})),
            entries=LedgerError("the ledger of gke is broken", seen="entry 3"),
        )
    )
    assert missing(found) == [
        "alerts of Prometheus",
        ALWAYS,
        "error budgets",
        "events of Kubernetes",
        "log spikes (Loki)",
        "promotions (the ledger)",
        "restarts of containers",
        "what Alertmanager holds",
        "whether Prometheus was there all the time",
    ]
    assert found.missing[0].why == "Prometheus did not answer: ConnectError"
    assert found.timeline == ()


async def test_who_never_answers_is_given_up_and_named() -> None:
    class Never(Lines):
        async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
            await anyio.sleep_forever()
            raise AssertionError

    found = await asked(witnesses(logs=Never()), seconds_each=0.05)
    assert [one.why for one in found.missing if one.what == "log spikes (Loki)"] == ["no answer within 0.05 s"]


async def test_events_that_an_earlier_run_wrote_down_fill_what_kubernetes_forgot() -> None:
    old = ClusterEvent(10_100.0, "tasks", "Pod", "b-1", True, "Killing", "x")
    found = await asked(witnesses(kept=lambda _: (old,)))
    assert [(one.kind, one.at) for one in found.timeline] == [("kubernetes", 10_100.0)]
    assert "events of Kubernetes, the older ones" in missing(found)


async def test_alerts_that_prometheus_told_are_not_told_again_by_alertmanager() -> None:
    held = (HeldAlert(11_000.0, {"alertname": "Down"}, "active"), HeldAlert(11_000.0, {"alertname": "Watchdog"}, "x"))
    series = Series(ALERT, ((13_590.0, 1.0), (13_600.0, 1.0)))
    found = await asked(witnesses(metrics=Told({"ALERTS{": (series,)}), alerting=Receiver(held=held)))
    assert [one.at for one in found.timeline] == [13_590.0]


async def test_no_line_in_the_hour_before_is_said_and_spikes_are_told_all_the_same() -> None:
    errors = Series({"service": "backend", "level": "ERROR"}, ((11_100.0, 5.0),))
    for anything in (None, 0.0):
        found = await asked(witnesses(logs=Lines(counted=(errors,), anything=anything)))
        assert "the hour before, to compare logs with" in missing(found)
        assert [one.kind for one in found.timeline] == ["log spike"]


async def test_a_service_that_is_always_loud_has_no_spike() -> None:
    steady = tuple((WHEN.start - 3600 + 60 * number, 40.0) for number in range(1, 120))
    loud = Series({"service": "sync", "level": "WARNING"}, steady)
    logs = Lines(counted=(loud,))
    assert (await asked(witnesses(logs=logs))).timeline == ()
    ((query, start, end, step),) = logs.ranges
    assert (start, end, step) == (WHEN.start - 3600, WHEN.end, 60.0)
    assert "count_over_time" in query


async def test_a_spikes_commonest_lines_are_told_without_secrets() -> None:
    labels = {"service": "backend", "level": "ERROR", "namespace": "tasks"}
    line = LogLine(11_050.0, labels, '{"message": "no way with hunter2hunter2 and password=abc123"}')
    logs = Lines(counted=(Series(labels, ((11_100.0, 9.0),)),), kept=(line,) * 9)
    (one,) = (await asked(witnesses(logs=logs))).timeline
    assert one.what == "9 lines of level ERROR, up to 9 a minute; 0 a minute in the hour before"
    assert one.more == "9 × ERROR backend: no way with *** and password=***"


async def test_only_the_largest_spikes_are_told_and_how_many_are_not() -> None:
    many = tuple(
        Series({"service": f"s{number}", "level": "ERROR"}, ((11_100.0, 5.0 + number),)) for number in range(23)
    )
    found = await asked(witnesses(logs=Lines(counted=many)))
    assert len(found.timeline) == 20
    assert "3 more log spikes" in missing(found)
    assert not any("s0" in one.where.split("/") for one in found.timeline)


async def test_a_prometheus_that_was_not_there_all_the_time_is_said() -> None:
    start = Series({"job": "prometheus"}, ((10_500.0, 9_000.0), (12_000.0, 11_900.0)))
    scrapes = Series({}, tuple((at, at) for at in range(10_000, 13_600, 18) if not 11_000 < at < 11_900))
    told = Told({"process_start_time_seconds": (start,), "timestamp(up)": (scrapes,)}, there=False)
    found = await asked(witnesses(metrics=told))
    (why,) = (one.why for one in found.missing if one.what == "what Prometheus did not see")
    assert why.startswith("it scraped nothing for 9")
    assert [(one.at, one.what) for one in found.timeline] == [(11_900.0, "Prometheus was started")]


async def test_what_the_budgets_lost() -> None:
    key = {"service": "backend", "slo": "availability"}
    left = 'sum by (service, slo) (slo:period_error_budget_remaining:ratio{namespace="tasks"})'
    told = Told({
        "sum_over_time(slo:sli_total": (Series(key, ((0.0, 1000.0),)),),
        "sum_over_time(slo:sli_error": (Series(key, ((0.0, 25.0),)),),
        f"{left} @ 10000": (Series(key, ((0.0, 0.9),)),),
        f"{left} @ 13600": (Series(key, ((0.0, 0.4),)),),
    })  # fmt: skip
    found = await asked(witnesses(metrics=told))
    assert found.burnt == (Burnt("backend", "availability", 1000.0, 25.0, 0.9, 0.4),)
    assert any("[3600s]" in query for query, *_ in told.asked)


async def test_no_budget_is_said() -> None:
    assert "error budgets" in missing(await asked(witnesses()))


async def test_everything_is_masked_by_value_and_by_shape() -> None:
    book = Book().had("A", 11_000.0)
    event = ClusterEvent(11_000.0, "tasks", "Pod", "b", True, "Failed", "pull with hunter2hunter2 token=abcdef")
    found = await asked(witnesses(entries=book.entries, cluster=FakeWorkloads(event_list=(event,))))
    assert "hunter2" not in repr(found)
    assert "abcdef" not in repr(found)


@pytest.mark.parametrize(("seconds", "step"), [(3600.0, 15.0), (7 * 86_400.0, 61.0)])
async def test_prometheus_is_asked_for_no_more_points_than_it_gives(seconds: float, step: float) -> None:
    told = Told()
    await asked(witnesses(metrics=told), Window(0.0, seconds))
    itself = ("timestamp(up)", "prometheus_build_info")
    steps = {step for query, start, end, step in told.asked if end > start and not any(one in query for one in itself)}
    assert steps == {step}
    assert seconds / step < 11_000
