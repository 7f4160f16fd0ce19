"""What counts as worse between two runs, and what two healthy runs may differ in."""

import math
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.report import samples

from sluice.compare import Comparison, Run, compare, state
from sluice.compare_rules import Aspect, Change
from sluice.domain import Attempt, Evidence, Outcome, Series, StepTiming, TestResult

SOUND = samples.sound()
PASSED, FAILED = Attempt("passed", 0.0, 1.0), Attempt("failed", 0.0, 1.0, "again")


def run(evidence: Evidence = SOUND, *, memory: dict[str, float] | None = None, **changed: Any) -> Run:
    evidence = replace(evidence, **changed)
    return Run(evidence, samples.verdict(evidence), memory or {})


def between(after: Run, before: Run | None = None) -> Comparison:
    return compare(before or run(), after)


def worse(found: Comparison, aspect: Aspect) -> list[tuple[str, str]]:
    return [(change.kind, change.name) for change in found.of(aspect, "worse")]


def timed(factor: float, *, suite: str = "", slower: int = 1000) -> tuple[TestResult, ...]:
    """The sound run's tests, those of a suite (or all of them) so many times as long; at most `slower` of them."""
    tests, left = list(SOUND.tests), slower
    for number, test in enumerate(tests):
        if suite in ("", test.suite) and left:
            tests[number], left = replace(test, seconds=10 * test.seconds * factor), left - 1
        else:
            tests[number] = replace(test, seconds=10 * test.seconds)
    return tuple(tests)


def outcome(number: int, word: Outcome, *attempts: Attempt) -> tuple[TestResult, ...]:
    changed = replace(SOUND.tests[number], outcome=word, attempts=attempts)
    return (*SOUND.tests[:number], changed, *SOUND.tests[number + 1 :])


def test_a_run_is_no_worse_than_itself() -> None:
    found = between(run())
    assert not found.worse
    assert found.changes == ()
    assert (found.pace, found.tests, found.levels) == (1.0, len(SOUND.tests), ("pass", "pass"))


@pytest.mark.parametrize(
    ("before", "after", "way", "note"),
    [
        pytest.param(outcome(1, "passed"), outcome(1, "failed"), "worse", "fails now", id="passed, fails"),
        pytest.param(outcome(1, "passed"), outcome(1, "error", FAILED), "worse", "fails now", id="fails again too"),
        pytest.param(outcome(1, "skipped"), outcome(1, "failed"), "worse", "fails now", id="was skipped"),
        pytest.param(SOUND.tests[:1] + SOUND.tests[2:], outcome(1, "failed"), "worse", "fails, and is new", id="new"),
        pytest.param(outcome(1, "failed"), outcome(1, "error"), "told", "fails in both", id="fails in both"),
        pytest.param(outcome(1, "failed"), outcome(1, "passed"), "better", "passes now", id="passes again"),
        pytest.param(outcome(1, "passed"), outcome(1, "skipped"), "told", "is skipped now", id="skipped now"),
        pytest.param(outcome(1, "passed"), SOUND.tests[:1] + SOUND.tests[2:], "told", "is gone", id="gone"),
        pytest.param(
            outcome(1, "failed"), SOUND.tests[:1] + SOUND.tests[2:], "told", "is gone, and failed", id="was bad"
        ),
    ],
)
def test_what_became_of_a_test(
    before: tuple[TestResult, ...], after: tuple[TestResult, ...], way: str, note: str
) -> None:
    found = between(run(tests=after), run(tests=before))
    assert [(one.way, one.name, one.note) for one in found.of("failing") if one.kind == "test"] == [
        (way, SOUND.tests[1].id, note)
    ]


def test_new_tests_are_counted_and_a_suite_without_any_is_worse() -> None:
    grown = run(tests=(*SOUND.tests, replace(SOUND.tests[0], id="new")))
    assert [(one.way, one.name, one.note) for one in between(grown).of("failing")] == [("told", "api", "new tests: 1")]
    left = tuple(test for test in SOUND.tests if test.suite != "api")
    assert ("suite", "api") in worse(between(run(tests=left)), "failing")


def test_a_lower_verdict_and_a_run_that_broke_are_worse() -> None:
    broken = run(failures=("no engine\nseen: none",))
    found = between(broken)
    assert worse(found, "failing") == [("verdict", "pass → fail"), ("run", "the run failed")]
    assert found.of("failing")[1].note == "no engine"
    assert not between(run(), broken).worse
    assert not between(broken, broken).worse


@pytest.mark.parametrize(
    ("name", "values", "way"),
    [
        ("p95-latency", (0.21, 0.3), "told"),  # 1.43 times
        ("p95-latency", (0.21, 0.33), "worse"),  # 1.57 times and 24 % of 500 ms
        ("p95-latency", (0.02, 0.06), "told"),  # 3 times, but 8 % of 500 ms
        ("p95-latency", (0.33, 0.21), "better"),
        ("p95-latency", (0.21, 0.7), "worse"),  # its level too
        ("outbox-empty", (0.0, 1.0), "worse"),
        ("targets-up", (1.0, 0.9), "worse"),  # its level alone
        ("p95-latency", (0.21, math.nan), "worse"),
        ("p95-latency", (math.nan, 0.21), "better"),
    ],
)
def test_an_objectives_value_counts_from_a_ratio_and_a_share_of_its_criterion_on(
    name: str, values: tuple[float, float], way: str
) -> None:
    pair = [
        run(
            measurements=tuple(
                replace(one, values=(value,)) if one.objective == name else one for one in SOUND.measurements
            )
        )
        for value in values
    ]
    found = between(pair[1], pair[0])
    assert [(one.way, one.name) for one in found.of("objectives")] == ([] if way == "told" else [(way, name)])


@pytest.mark.parametrize(
    ("criterion", "values", "way"),
    [
        (">= 10", (20.0, 14.5), "worse"),  # near its criterion, and 55 % of it away
        (">= 10", (40.0, 20.0), "told"),  # far from it still
        (">= 10", (13.0, 12.0), "told"),  # 10 % of it away
        (">= 10", (14.5, 20.0), "better"),
        ("== 0", (0.0, 1.0), "worse"),
        ("== 4", (4.0, 2.0), "worse"),
        ("== 4", (2.0, 4.0), "better"),
        ("none that is known", (1.0, 100.0), "told"),
    ],
)
def test_a_value_that_is_better_when_large_or_meant_to_be_one_is_judged_by_that(
    criterion: str, values: tuple[float, float], way: str
) -> None:
    pair = []
    for value in values:
        told = samples.verdict(SOUND)
        result = replace(told.objectives[1], value=value, pass_criterion=criterion)
        pair.append(Run(SOUND, replace(told, objectives=(result,)), {}))
    found = between(pair[1], pair[0])
    assert [one.way for one in found.of("objectives")] == ([] if way == "told" else [way])


def test_other_suites_are_another_load_and_only_levels_count() -> None:
    slow = tuple(replace(one, values=(0.45,)) if one.objective == "p95-latency" else one for one in SOUND.measurements)
    tests = (*SOUND.tests, replace(SOUND.tests[0], id="c", suite="chaos"))
    found = between(run(measurements=slow, suites=(*SOUND.suites, "chaos"), tests=tests))
    assert not found.worse
    assert [(one.way, one.name) for one in found.of("objectives")] == [("told", "p95-latency")]
    assert found.not_compared == (f"the suite chaos: only in {SOUND.run_id}",)


def test_a_failed_test_of_a_suite_that_was_not_there_before_counts() -> None:
    bad = replace(SOUND.tests[0], id="c", suite="chaos", outcome="failed")
    found = between(run(suites=(*SOUND.suites, "chaos"), tests=(*SOUND.tests, bad)))
    assert ("test", "c") in worse(found, "failing")


def test_tests_of_a_suite_that_only_one_run_had_are_not_gone() -> None:
    api = tuple(test for test in SOUND.tests if test.suite == "api")
    found = between(run(tests=api, suites=("api",)))
    assert found.tests == len(api)
    assert [one for one in found.of("failing") if one.kind != "verdict"] == []
    assert f"the suite logs: only in {SOUND.run_id}" in found.not_compared


def test_a_suite_that_is_slower_throughout_counts() -> None:
    found = between(run(tests=timed(1.6, suite="api")), run(tests=timed(1.0)))
    assert worse(found, "slower") == [("suite", "api")]
    (change,) = found.of("slower", "worse")
    assert change.note == "15 of its 15 tests slower"
    assert change.after == pytest.approx(1.6 * (change.before or 0))
    back = between(run(tests=timed(1.0)), run(tests=timed(1.6, suite="api")))
    assert [(one.way, one.name) for one in back.of("slower") if one.kind == "suite"] == [("better", "api")]
    assert not back.worse


def test_one_test_that_waited_is_told_and_does_not_count() -> None:
    found = between(run(tests=timed(20.0, suite="api", slower=1)), run(tests=timed(1.0)))
    assert not found.worse
    told = [(one.way, one.kind, one.note) for one in found.of("slower")]
    assert told == [("told", "suite", "1 of its 1 tests slower: may be chance"), ("told", "test", "")]


def test_a_busy_machine_slows_everything_and_no_suite_is_blamed() -> None:
    assert not between(run(tests=timed(1.9)), run(tests=timed(1.0))).worse
    found = between(run(tests=timed(2.1)), run(tests=timed(1.0)))
    assert worse(found, "slower") == [("run", "everything")]
    assert found.pace == pytest.approx(2.1)


def test_a_quick_run_excuses_no_suite() -> None:
    before, after = timed(1.0), list(timed(0.5))
    for number, test in enumerate(before):
        if test.suite == "api":
            after[number] = replace(test, seconds=test.seconds * 1.2)
    assert not between(run(tests=tuple(after)), run(tests=before)).worse


def test_steps_are_told_and_never_count() -> None:
    steps = tuple(
        StepTiming(one.name, one.started, one.seconds * 4, one.outcome) if one.name == "create cluster" else one
        for one in SOUND.steps
    )
    found = between(run(steps=steps))
    assert [(one.way, one.kind, one.name) for one in found.of("slower")] == [("told", "step", "create cluster")]
    assert not found.worse


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf])
def test_durations_that_are_none_are_no_change(seconds: float) -> None:
    steps = tuple(replace(one, seconds=seconds) for one in SOUND.steps)
    tests = tuple(replace(one, seconds=seconds) for one in SOUND.tests)
    for pair in ((run(steps=steps, tests=tests), run()), (run(), run(steps=steps, tests=tests))):
        assert between(*pair).of("slower") == ()


def test_a_flaky_test_is_noise_and_no_failure() -> None:
    flaky = run(tests=outcome(1, "failed", FAILED, PASSED))
    assert state(flaky.evidence.tests[1]) == "flaky"
    found = between(flaky)
    assert worse(found, "noisier") == [("test", SOUND.tests[1].id)]
    assert [one for one in found.of("failing") if one.kind == "test"] == []
    assert [one.way for one in between(run(), flaky).of("noisier")] == ["better"]
    assert between(flaky, flaky).of("noisier") == ()


def _spread(swing: float, count: int = 40) -> Run:
    points = tuple((samples.STARTED + at, 0.2 + swing * (at % 2)) for at in range(count))
    one = replace(SOUND.measurements[1], series=(Series({}, (*points, (samples.STARTED, math.nan))),))
    return run(measurements=(SOUND.measurements[0], one, *SOUND.measurements[2:]))


@pytest.mark.parametrize(
    ("swings", "way"),
    [((0.1, 0.4), "worse"), ((0.4, 0.1), "better"), ((0.2, 0.35), "told"), ((0.01, 0.2), "told")],
)
def test_a_series_that_swings_more_is_noisier(swings: tuple[float, float], way: str) -> None:
    found = between(_spread(swings[1]), _spread(swings[0]))
    assert [(one.way, one.name) for one in found.of("noisier")] == ([] if way == "told" else [(way, "p95-latency")])


def test_few_points_are_no_noise() -> None:
    assert between(_spread(0.4, count=8), _spread(0.0, count=8)).of("noisier") == ()


def _images(size: float) -> Run:
    return run(images=(replace(SOUND.images[0], size_bytes=int(size)), *SOUND.images[1:]))


@pytest.mark.parametrize(
    ("sizes", "way"),
    [
        ((200e6, 400e6), "worse"),
        ((200e6, 203e6), "worse"),
        ((200e6, 201e6), "told"),
        ((1e6, 1.9e6), "told"),
        ((400e6, 200e6), "better"),
        ((0, 400e6), "told"),  # unknown
    ],
)
def test_an_image_that_grew_is_larger(sizes: tuple[float, float], way: str) -> None:
    found = between(_images(sizes[1]), _images(sizes[0]))
    assert [(one.way, one.kind) for one in found.of("larger")] == ([] if way == "told" else [(way, "image")])


def test_memory_is_compared_where_both_runs_measured_it() -> None:
    small, large = {"backend": 100e6, "loki": 60e6}, {"backend": 190e6, "loki": 100e6, "kafka": 900e6}
    found = between(run(memory=large), run(memory=small))
    assert worse(found, "larger") == [("memory", "backend")]
    alone = between(run(memory=large))
    assert alone.of("larger") == ()
    assert alone.not_compared == (f"memory: only in {SOUND.run_id}",)


def test_what_counts_comes_first() -> None:
    tests = (*outcome(3, "failed")[:5], *outcome(5, "passed")[5:])
    found = between(run(tests=tests), run(tests=outcome(5, "failed")))
    assert [one.way for one in found.of("failing")] == ["worse", "better"]
    assert all(isinstance(one, Change) for one in found.changes)
