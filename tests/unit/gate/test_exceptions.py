"""overrides.toml and quarantine.toml: what they may hold, and what comes of it in a verdict."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.gate.samples import ERRORS, EVIDENCE, LATENCY, POLICY, SUITES, TARGETS, TESTS, instead, measured, result

from sluice.domain import Attempt, Evidence, Override, Quarantined, TestResult
from sluice.errors import PolicyError
from sluice.policy import Policy, load_overrides, load_quarantine
from sluice.steps.evaluate_gate import evaluate_gate

NOW = EVIDENCE.ended
RELEASE = Path(__file__).parents[3] / "release"
OBJECTIVES = (SUITES, replace(ERRORS, override=False), LATENCY, TARGETS)
OVERRIDDEN = replace(POLICY, objectives=OBJECTIVES)
OVERRIDE = Override("p95-latency", "Ada", "the disk of the build host dies, ticket 7", NOW + 3600)

OVERRIDES = """schema = "sluice.overrides/v1"
[[override]]
objective = "p95-latency"
who = "Ada"
why = "a disk"
until = 2025-10-10T00:00:00+02:00
"""
QUARANTINE = """schema = "sluice.quarantine/v1"
[[test]]
id = "tests/e2e/api/test_api.py::test_read"
owner = "Ada"
reason = "ticket 8"
expires = 2025-10-10T00:00:00Z
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "some.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_both_files_are_read_with_their_times_in_utc(tmp_path: Path) -> None:
    (override,) = load_overrides(written(tmp_path, OVERRIDES), OBJECTIVES, now=NOW)
    assert override == Override("p95-latency", "Ada", "a disk", 1_760_047_200.0)
    (entry,) = load_quarantine(written(tmp_path, QUARANTINE), now=NOW)
    assert entry == Quarantined("tests/e2e/api/test_api.py::test_read", "Ada", "ticket 8", 1_760_054_400.0)


def test_a_file_that_is_not_there_excuses_nothing(tmp_path: Path) -> None:
    assert load_overrides(tmp_path / "none.toml", OBJECTIVES, now=NOW) == ()
    assert load_quarantine(tmp_path / "none.toml", now=NOW) == ()


def test_our_own_files_are_whole() -> None:
    assert load_overrides(RELEASE / "overrides.toml", OBJECTIVES, now=NOW) == ()
    assert load_quarantine(RELEASE / "quarantine.toml", now=NOW) == ()


def test_all_mistakes_of_overrides_are_told_at_once(tmp_path: Path) -> None:
    second = '[[override]]\nobjective = "error-ratio"\nwho = ""\nwhy = "w"\nuntil = 2025-10-10T00:00:00\n'
    third = '[[override]]\nobjective = "suites"\nwho = "w"\nuntil = 2025-10-09T08:00:00Z\nwhen = 1\n'
    fourth = '[[override]]\nobjective = "p59"\nwho = "w"\nwhy = "w"\nuntil = 2025-10-10\n'
    fifth = OVERRIDES.partition("\n")[2]
    with pytest.raises(PolicyError) as caught:
        load_overrides(written(tmp_path, OVERRIDES + second + third + fourth + fifth), OBJECTIVES, now=NOW)
    told = caught.value.mistakes
    assert [mistake.partition(", seen")[0] for mistake in told] == [
        'line 8: override "error-ratio" objective: the policy lets nobody override it (override = false)',
        'line 9: override "error-ratio" who: String should have at least 1 character',
        'line 11: override "error-ratio" until: expected a time with its zone, such as 2027-01-31T18:00:00Z',
        'line 12: override "suites" why: is missing',
        'line 13: override "suites" objective: tests are put into quarantine.toml, by name, and never overridden',
        'line 15: override "suites" until: 2025-10-09T08:00:00+00:00 is over, it is 2025-10-09T08:56:50Z: mend the '
        "cause, or have somebody renew it",
        'line 16: override "suites" when: no such key',
        'line 18: override "p59" objective: the policy has no such objective',
        'line 21: override "p59" until: expected a time with its zone, such as 2027-01-31T18:00:00Z',
        'line 23: override "p95-latency" objective: is named more than once',
    ]


def test_all_mistakes_of_a_quarantine_are_told_at_once(tmp_path: Path) -> None:
    over = QUARANTINE.partition("\n")[2].replace("2025-10-10", "2025-10-01").replace("Ada", "")
    with pytest.raises(PolicyError) as caught:
        load_quarantine(written(tmp_path, QUARANTINE.replace("/v1", "/v2") + over), now=NOW)
    assert [mistake.partition('test_read" ')[2] or mistake for mistake in caught.value.mistakes] == [
        "line 1: schema: should be 'sluice.quarantine/v1', seen \"sluice.quarantine/v2\"",
        "id: is named more than once",
        'owner: String should have at least 1 character, seen ""',
        "expires: 2025-10-01T00:00:00+00:00 is over, it is 2025-10-09T08:56:50Z: mend the cause, or have somebody "
        "renew it",
    ]


SLOW = instead(measured(LATENCY, 2.0))


def judged(
    *overrides: Override, policy: Policy = OVERRIDDEN, evidence: Evidence = SLOW
) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    verdict = evaluate_gate(policy, replace(evidence, overrides=overrides))
    return verdict.level, verdict.objectives[2].level, verdict.reasons, verdict.notes


KEY = replace(OVERRIDDEN, objectives=(SUITES, ERRORS, replace(LATENCY, key=True), TARGETS))


@pytest.mark.parametrize("policy", [OVERRIDDEN, KEY], ids=["any objective", "a key objective"])
def test_an_override_turns_a_fail_into_a_warning_and_is_in_the_verdict(policy: Policy) -> None:
    without = evaluate_gate(policy, SLOW)
    assert without.level == "fail"
    verdict = evaluate_gate(policy, replace(SLOW, overrides=(OVERRIDE,)))
    found = verdict.objectives[2]
    assert (verdict.level, found.level, found.score, found.override) == ("warn", "warn", 1.0, OVERRIDE)
    assert verdict.reasons[0] == (
        "p95-latency: 2 seconds, misses <= 0.5 and <= 1; Ada answers for it until 2025-10-09 09:56 UTC: "
        "the disk of the build host dies, ticket 7"
    )


def test_an_override_never_makes_a_pass_though_the_score_would() -> None:
    light = replace(OVERRIDDEN, objectives=(SUITES, *(replace(o, weight=50) for o in OBJECTIVES[1:2]), LATENCY))
    verdict = evaluate_gate(light, replace(SLOW, overrides=(OVERRIDE,)))
    assert verdict.score > light.pass_score
    assert verdict.level == "warn"


@pytest.mark.parametrize("value", [0.1, 0.7])
def test_an_override_of_what_does_not_fail_changes_nothing(value: float) -> None:
    evidence = instead(measured(LATENCY, value))
    without, with_one = judged(evidence=evidence), judged(OVERRIDE, evidence=evidence)
    assert without == with_one


REFUSED = {
    "an override whose time was over at the end of the run": (
        OVERRIDDEN,
        replace(OVERRIDE, until=NOW),
        "it was over on 2025-10-09 08:56 UTC",
    ),
    "an override of an objective that the policy does not have": (
        OVERRIDDEN,
        replace(OVERRIDE, objective="p59"),
        "the policy has no such objective",
    ),
    "an override that the policy lets nobody make": (
        replace(OVERRIDDEN, objectives=(SUITES, ERRORS, replace(LATENCY, key=True, override=False), TARGETS)),
        OVERRIDE,
        "the policy lets nobody override it (override = false)",
    ),
    "an override until never": (OVERRIDDEN, replace(OVERRIDE, until=float("nan")), "it was over on nan"),
}


@pytest.mark.parametrize(("policy", "override", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refused_override_has_no_effect_and_is_told(policy: Policy, override: Override, why: str) -> None:
    _, level, _, notes = judged(override, policy=policy)
    assert level == "fail"
    assert notes == (f"the override of {override.objective} by Ada is refused: {why}",)


def test_what_was_not_measured_is_not_overridden() -> None:
    level, found, reasons, _ = judged(OVERRIDE, evidence=instead(measured(LATENCY)))
    assert (level, found, reasons[0]) == ("fail", "fail", "p95-latency: 0 series, expected at least 1")


def test_failed_tests_are_not_overridden() -> None:
    evidence = replace(EVIDENCE, tests=(*TESTS, result("bad", "api", "failed")))
    level, _, _, notes = judged(replace(OVERRIDE, objective="suites"), evidence=evidence)
    assert (level, len(notes)) == ("fail", 1)


def again(test: TestResult, *outcomes: str) -> TestResult:
    attempts = tuple(Attempt(outcome, test.started + 1, 1.0) for outcome in outcomes)  # type: ignore[arg-type]
    return replace(test, attempts=attempts)


BAD = result("bad", "api", "failed")


@pytest.mark.parametrize("outcomes", [("passed",), ("failed", "passed"), ("passed", "failed")])
@pytest.mark.parametrize("first", ["failed", "error"])
def test_a_test_that_passes_only_when_run_again_is_never_a_plain_pass(first: str, outcomes: tuple[str, ...]) -> None:
    heavy = replace(POLICY, objectives=(SUITES, replace(ERRORS, weight=1000)))
    test = again(result("bad", "api", first), *outcomes)
    verdict = evaluate_gate(heavy, replace(EVIDENCE, tests=(*TESTS, test)))
    suites = verdict.objectives[0]
    assert (verdict.level, suites.level, suites.value, suites.score) == ("warn", "warn", 1.0, 0.5)
    assert verdict.score > heavy.pass_score, "it is not the score that kept it from passing"
    assert verdict.flaky == (BAD.id,)
    assert verdict.reasons[0] == f"passed only when run again: {BAD.id}"
    assert suites.reason == f"4 of 4 tests passed, 1 of them only when run again ({BAD.id}), meets >= 1"


@pytest.mark.parametrize("outcomes", [(), ("failed",), ("failed", "error"), ("skipped",)])
def test_a_test_that_fails_again_has_failed(outcomes: tuple[str, ...]) -> None:
    verdict = evaluate_gate(POLICY, replace(EVIDENCE, tests=(*TESTS, again(BAD, *outcomes))))
    assert (verdict.level, verdict.objectives[0].value, verdict.flaky) == ("fail", 0.75, ())
    assert verdict.reasons[0] == f"suite api: 1 of 3 tests failed: {BAD.id}"


def test_more_flaky_tests_than_the_policy_allows_fail() -> None:
    tests = tuple(again(result(f"t{n}", "api", "failed"), "passed") for n in range(4))
    verdict = evaluate_gate(POLICY, replace(EVIDENCE, tests=(*TESTS, *tests)))
    assert verdict.level == "fail"
    assert verdict.reasons[0].startswith("4 tests passed only when they were run again, at most 3 may: ")
    assert evaluate_gate(replace(POLICY, max_flaky=4), replace(EVIDENCE, tests=(*TESTS, *tests))).level == "warn"


HELD = Quarantined(BAD.id, "Ada", "ticket 8", NOW + 3600)


def test_a_failed_test_in_quarantine_does_not_count_and_is_shown() -> None:
    verdict = evaluate_gate(POLICY, replace(EVIDENCE, tests=(*TESTS, BAD), quarantine=(HELD,)))
    suites = verdict.objectives[0]
    assert (verdict.level, suites.level, suites.samples, suites.value) == ("pass", "pass", 3, 1.0)
    assert (verdict.quarantined, verdict.reasons) == ((BAD.id,), ())
    assert verdict.notes == (f"in quarantine: {BAD.id} (Ada: ticket 8): failed, and does not count",)


def test_what_passes_in_quarantine_counts_and_what_is_unknown_is_told() -> None:
    unknown = replace(HELD, id="tests/e2e/api/test_api.py::gone")
    held = replace(HELD, id=TESTS[0].id)
    verdict = evaluate_gate(POLICY, replace(EVIDENCE, quarantine=(held, unknown)))
    assert (verdict.level, verdict.objectives[0].samples, verdict.quarantined) == ("pass", 3, ())
    assert verdict.notes == (
        f"in quarantine: {unknown.id} (Ada: ticket 8): no such test in this run",
        f"in quarantine: {held.id} (Ada: ticket 8): passed",
    )


def test_a_quarantine_that_is_over_fails_the_verdict_even_where_its_test_passes() -> None:
    over = replace(HELD, expires=NOW)
    told = f"the quarantine of {BAD.id} (Ada: ticket 8) is over: mend the test, or have it renewed"
    for tests in (TESTS, (*TESTS, BAD)):
        verdict = evaluate_gate(POLICY, replace(EVIDENCE, tests=tests, quarantine=(over,)))
        assert verdict.level == "fail"
        assert told in verdict.reasons


def test_a_suite_whose_tests_all_failed_in_quarantine_proves_nothing() -> None:
    tests = (*TESTS[:2], result("c", "api"), result("found", "logs", "failed"))
    held = replace(HELD, id=tests[-1].id)
    verdict = evaluate_gate(POLICY, replace(EVIDENCE, tests=tests, quarantine=(held,)))
    assert verdict.level == "fail"
    assert verdict.reasons[0] == "suite logs: 1 of 1 tests skipped or failed in quarantine (1), 0 passed"
