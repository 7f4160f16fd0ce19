"""What a run comes to, in a line and an exit status: a verdict, or for a part of the suites only whether it passed."""

from collections.abc import Sequence
from dataclasses import dataclass

from sluice.domain import Evidence, Verdict
from sluice.report.terminal import verdict_line

_WHOLE = "./nox -s e2e"


@dataclass(frozen=True)
class Conclusion:
    """The last line of a run and its exit status: 0 pass or warn, 1 fail; of a part 0 where all of it passed."""

    text: str
    exit_status: int


def conclusion(required: Sequence[str], evidence: Evidence, verdict: Verdict) -> Conclusion:
    """Say what a run proved. `required` are the suites without which the policy has no verdict on a release.

    Whoever asks for a part wants to know of that part: the verdict in the evidence is a fail all the same, since what
    was not run proves nothing, and no release can be promoted by it.
    """
    if set(required) <= set(evidence.suites) and not evidence.partial:
        status = 1 if verdict.level == "fail" else 0
        return Conclusion(verdict_line(verdict), status)
    ran = [test for test in evidence.tests if test.outcome != "skipped"]
    bad = sum(test.outcome != "passed" for test in ran)
    suites = len({test.suite for test in ran})
    of = f"{evidence.partial}: " if evidence.partial else ""
    parts = f"PARTIAL  {of}{suites} of {len({*required, *evidence.suites})} suites, {len(ran)} tests"
    broken = [step.name for step in evidence.steps if step.outcome != "done"]
    if bad or not ran or evidence.failures or broken:
        said = (
            f"{bad} failed"
            if bad
            else "none ran"
            if not ran
            else f"but the run failed: {', '.join(broken) or 'see above'}"
        )
        return Conclusion(f"{parts}, {said}", 1)
    return Conclusion(f"{parts}, all passed; no verdict on a release, which takes all suites: {_WHOLE}", 0)
