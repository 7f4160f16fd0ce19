"""What the tests of a run prove: which passed at once, which only when run again, which are in quarantine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sluice.domain import Evidence, Quarantined, TestResult
from sluice.policy import Policy

_NAMED = 5  # as many names are told in one reason, the rest is counted
_BAD = frozenset(("failed", "error"))


@dataclass(frozen=True)
class Counted:
    """Tests' ids by what became of them; each test is in exactly one, all sorted."""

    passed: tuple[str, ...]
    flaky: tuple[str, ...]
    failed: tuple[str, ...]
    quarantined: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def ran(self) -> int:
        """How many count: neither skipped nor in quarantine."""
        return len(self.passed) + len(self.flaky) + len(self.failed)

    @property
    def ratio(self) -> float:
        """Passed of those that count, those among them that passed when run again; needs one that counts."""
        return (len(self.passed) + len(self.flaky)) / self.ran


def count(tests: Sequence[TestResult], quarantine: Sequence[Quarantined], *, at: float) -> Counted:
    """Sort tests by what became of them, with the quarantine as it was at a time (seconds since the epoch).

    A test is flaky when it failed and passed, in whichever order: https://testing.googleblog.com/2016/05/flaky-tests-at-google-and-how-we.html
    """
    excused = {one.id for one in quarantine if one.expires > at}
    found: dict[str, list[str]] = {name: [] for name in ("passed", "flaky", "failed", "quarantined", "skipped")}
    for test in tests:
        outcomes = {test.outcome, *(attempt.outcome for attempt in test.attempts)}
        bad = bool(outcomes & _BAD)
        if bad and test.id in excused:
            kind = "quarantined"
        elif bad:
            kind = "flaky" if "passed" in outcomes else "failed"
        else:
            kind = "skipped" if test.outcome == "skipped" else "passed"
        found[kind].append(test.id)
    return Counted(**{kind: tuple(sorted(ids)) for kind, ids in found.items()})


def suite_problems(policy: Policy, evidence: Evidence) -> list[str]:
    """What stands against the suites, by name. Tests that were skipped, or are in quarantine, prove nothing."""
    by_suite: dict[str, list[TestResult]] = {name: [] for name in (*policy.required_suites, *evidence.suites)}
    for test in evidence.tests:
        by_suite.setdefault(test.suite, []).append(test)
    problems = [] if evidence.tests else ["0 tests ran"]
    for name, tests in sorted(by_suite.items()):
        counted = count(tests, evidence.quarantine, at=evidence.ended)
        failed = len(counted.failed)
        if not tests:
            needed = ", and it is required" if name in policy.required_suites else ""
            problems.append(f"suite {name}: 0 tests{needed}")
        elif failed:
            problems.append(f"suite {name}: {failed} of {len(tests)} tests failed: {named(counted.failed)}")
        elif not counted.ran:
            aside = f" or failed in quarantine ({len(counted.quarantined)})" if counted.quarantined else ""
            problems.append(f"suite {name}: {len(tests)} of {len(tests)} tests skipped{aside}, 0 passed")
    flaky = count(evidence.tests, evidence.quarantine, at=evidence.ended).flaky
    if len(flaky) > policy.max_flaky:
        most = f"at most {policy.max_flaky} may"
        problems.append(f"{len(flaky)} tests passed only when they were run again, {most}: {named(flaky)}")
    return problems


def quarantine_problems(evidence: Evidence) -> list[str]:
    """Entries whose time was over when the run ended: nobody answers for them any more."""
    over = [one for one in evidence.quarantine if not one.expires > evidence.ended]
    whose = [f"{one.id} ({one.owner}: {one.reason})" for one in over]
    return [f"the quarantine of {one} is over: mend the test, or have it renewed" for one in whose]


def quarantine_notes(evidence: Evidence) -> list[str]:
    """What a reader should know of the quarantine: who has which test in it, which passed, which are unknown."""
    outcomes = {test.id: test.outcome for test in evidence.tests}
    notes = []
    for one in sorted(evidence.quarantine, key=lambda entry: entry.id):
        if one.expires > evidence.ended:
            seen = outcomes.get(one.id)
            said = f"{seen}, and does not count" if seen in _BAD else seen or "no such test in this run"
            notes.append(f"in quarantine: {one.id} ({one.owner}: {one.reason}): {said}")
    return notes


def named(ids: Sequence[str]) -> str:
    """The first few of several ids, and how many more there are."""
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(ids[:_NAMED]) + more


def day(at: float) -> str:
    """A time as a date in UTC; the number itself where a calendar has no such date."""
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at)).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError):
        return f"{at:g}"
