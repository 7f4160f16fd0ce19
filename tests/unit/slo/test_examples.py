"""Example events as series of promtool."""

from decimal import Decimal

from sluice.slo.examples import BAD, GOOD, IGNORED, Phase, parse

ALL, HALF, NONE = Decimal(1), Decimal("0.5"), Decimal(0)


def drawn(phases: tuple[Phase, ...], **lines: str) -> dict[str, str]:
    keys = {"good": GOOD, "bad": BAD, "ignored": IGNORED}
    series, mistakes = parse({keys[key]: value for key, value in lines.items()}, "kettle")
    assert mistakes == []
    return {one.name.split("{")[0]: one.values(phases) for one in series}


def test_counters_step_with_their_events() -> None:
    phases = (Phase(3, 10, NONE), Phase(2, 10, HALF), Phase(1, 0, NONE))
    found = drawn(phases, good="hits +1\nall +1", bad="all +1\nslow +2", ignored="probes +1")
    assert found == {
        "hits": "0 10+10x2 35+5x1 40+0x0",
        "all": "0 10+10x2 40+10x1 50+0x0",
        "slow": "0 0+0x2 10+10x1 20+0x0",
        "probes": "0 1000+1000x2 4000+1000x1 6000+1000x0",
    }


def test_a_gauge_is_bad_for_whole_minutes_and_away_without_events() -> None:
    phases = (Phase(2, 9, NONE), Phase(4, 9, HALF), Phase(3, 0, NONE), Phase(1, 9, ALL))
    assert drawn(phases, good="age 0", bad="age 90") == {"age": "_x1 0x2 90x0 0x0 90x0 stale _x2 90x0"}


def test_now_is_the_tests_clock() -> None:
    phases = (Phase(2, 9, NONE), Phase(1, 9, ALL), Phase(2, 9, NONE))
    assert drawn(phases, good="seen now", bad="seen -3600") == {"seen": "_x1 60+60x1 -3600x0 240+60x1"}


def test_every_series_is_the_services_own() -> None:
    series, _ = parse({GOOD: 'hits{route="/a/{id}"} +1', BAD: "lost +1"}, "kettle")
    assert [one.name for one in series] == [
        'hits{namespace="default",service="kettle",route="/a/{id}"}',
        'lost{namespace="default",service="kettle"}',
    ]
