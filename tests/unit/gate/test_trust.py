"""Prometheus' own numbers are believed only while its clock, its scrapes and its uptime allow it."""

import math
from dataclasses import replace

import pytest
from tests.unit.gate.samples import EVIDENCE, POLICY, STARTED, SUITES, result

from sluice.domain import Evidence, Monitoring, Verdict, dump, load
from sluice.policy import Objective, Trust
from sluice.steps.evaluate_gate import evaluate_gate

TRUSTING = replace(POLICY, prometheus=Trust(max_clock_skew=2.0, max_gap=60.0, restarts_by=("tests/e2e/resilience/",)))
WINDOW = (STARTED + 100, STARTED + 200)
SOUND = Monitoring(
    *WINDOW, clock_skew_seconds=0.01, clock_error_seconds=0.02, starts=(STARTED - 9,), longest_gap_seconds=15
)


def judged(evidence: Evidence = EVIDENCE, **changes: object) -> Verdict:
    monitoring = replace(SOUND, **changes)  # type: ignore[arg-type]
    return evaluate_gate(TRUSTING, replace(evidence, monitoring=monitoring))


def test_a_sound_prometheus_is_no_reason() -> None:
    assert (judged().level, judged().reasons, judged().notes) == ("pass", (), ())


SKEW = "at most 2 s may be: windows are of another time"
GAP = "at most 60 s may be: what happened then is in no number"
DISTRUSTED = {
    "a clock that is ahead": (
        {"clock_skew_seconds": 2.5},
        f"the cluster's clock is +2.5 s off the host's (known to 0.02 s), {SKEW}",
    ),
    "a clock that is behind": (
        {"clock_skew_seconds": -61.0},
        f"the cluster's clock is -61 s off the host's (known to 0.02 s), {SKEW}",
    ),
    "a clock that may be off for all that is known": (
        {"clock_error_seconds": 2.0},
        f"the cluster's clock is +0.01 s off the host's (known to 2 s), {SKEW}",
    ),
    "a clock that is no number": (
        {"clock_skew_seconds": math.nan},
        f"the cluster's clock is +nan s off the host's (known to 0.02 s), {SKEW}",
    ),
    "a gap": ({"longest_gap_seconds": 60.5}, f"Prometheus has nothing of 60.5 s of the window, {GAP}"),
    "a gap that is no number": (
        {"longest_gap_seconds": math.nan},
        f"Prometheus has nothing of nan s of the window, {GAP}",
    ),
    "a window of no time": (
        {"window_ended": WINDOW[0]},
        "Prometheus was asked about a window of 0 s",
    ),
    "a restart in the window": (
        {"starts": (STARTED - 9, STARTED + 142)},
        "Prometheus was started again 42 s into the window, and no test did it: what it counted before may be lost",
    ),
    "a restart of which only the new start is known": (
        {"starts": (STARTED + 142,)},
        "Prometheus was started again 42 s into the window, and no test did it: what it counted before may be lost",
    ),
    "no start at all": (
        {"starts": ()},
        "it is not known since when Prometheus runs (process_start_time_seconds)",
    ),
    "a start that is no number": (
        {"starts": (math.inf,)},
        "it is not known since when Prometheus runs (process_start_time_seconds)",
    ),
    "no answer": ({"error": "refused: 503"}, "Prometheus could not be asked about itself: refused: 503"),
}


@pytest.mark.parametrize(("changes", "reason"), DISTRUSTED.values(), ids=DISTRUSTED.keys())
def test_a_doubtful_prometheus_fails_though_every_objective_passes(changes: dict[str, object], reason: str) -> None:
    verdict = judged(EVIDENCE, **changes)
    assert (verdict.level, verdict.score, verdict.reasons) == ("fail", 100.0, (reason,))


def test_evidence_that_knows_nothing_of_prometheus_fails() -> None:
    verdict = evaluate_gate(TRUSTING, EVIDENCE)
    assert verdict.reasons == ("nothing is known of Prometheus itself: its clock, its gaps and its restarts",)
    assert verdict.level == "fail"


def test_a_policy_that_asks_prometheus_for_nothing_needs_to_know_nothing_of_it() -> None:
    lines = Objective("lines", "logql", "x", "lines", SUITES.pass_criterion)
    policy = replace(TRUSTING, objectives=(SUITES, lines))
    assert not any("Prometheus" in reason for reason in evaluate_gate(policy, EVIDENCE).reasons)


KILL = replace(result("test_prometheus_is_killed", "resilience"), started=STARTED + 130, seconds=30.0)


def test_a_restart_that_a_test_made_is_no_more_than_a_note() -> None:
    tests = (*EVIDENCE.tests, KILL)
    verdict = judged(replace(EVIDENCE, tests=tests), starts=(STARTED - 9, STARTED + 142))
    assert (verdict.level, verdict.reasons) == ("pass", ())
    assert verdict.notes == (
        f"Prometheus was started again 42 s into the window, by {KILL.id}: what it has of the window is whole but for "
        "the gap",
    )
    lost = judged(replace(EVIDENCE, tests=tests), starts=(STARTED + 142,), longest_gap_seconds=99)
    assert (lost.level, len(lost.reasons)) == ("fail", 1), "what it lost in the restart still fails"


@pytest.mark.parametrize(
    "test",
    [
        pytest.param(replace(KILL, started=STARTED + 150), id="before the test began"),
        pytest.param(replace(KILL, seconds=5.0), id="after it ended"),
        pytest.param(replace(KILL, id="tests/e2e/api/test_api.py::test_read"), id="of a suite that kills nothing"),
    ],
)
def test_another_test_excuses_no_restart(test: object) -> None:
    evidence = replace(EVIDENCE, tests=(*EVIDENCE.tests, test))  # type: ignore[arg-type]
    assert judged(evidence, starts=(STARTED + 142,)).level == "fail"


def test_what_is_no_number_survives_being_written_down(tmp_path: object) -> None:
    evidence = replace(EVIDENCE, monitoring=replace(SOUND, clock_skew_seconds=math.nan))
    path = tmp_path / "evidence.json"  # type: ignore[operator]
    path.write_bytes(dump(evidence))
    assert evaluate_gate(TRUSTING, load(Evidence, path)).level == "fail"
