"""A release: which runs make none, and what of it does not fit together; every reason is told, all at once."""

from dataclasses import replace

import pytest
from tests.unit.gate import stored_run
from tests.unit.gate.samples import OTHER_DIGEST
from tests.unit.promotion.proven import BACKEND, EVIDENCE, VERDICT, files_of, release_of, verdict_of

from sluice.domain import Evidence, Level, Verdict
from sluice.errors import PolicyError
from sluice.promotion.release import FILES, Release, misfits, why_no_release, why_not_accepted

FILES_OF = files_of()
RELEASE = release_of(FILES_OF)
WARNED = verdict_of(stored_run.evidence())


def found(release: Release = RELEASE, verdict: Verdict = VERDICT, changed: str = "") -> list[str]:
    files = FILES_OF | ({changed: b"another"} if changed else {})
    return list(misfits(release, files, verdict, lambda: VERDICT))


def test_a_whole_run_that_passed_makes_one() -> None:
    assert VERDICT.level == "pass"
    assert why_no_release(EVIDENCE, VERDICT) == []
    assert why_no_release(EVIDENCE, replace(VERDICT, level="warn")) == [], "a target says whether it takes that"


@pytest.mark.parametrize(
    ("evidence", "verdict", "said"),
    [
        (EVIDENCE, replace(VERDICT, level="fail", score=40.5), "its verdict is fail, score 40.5 of 100"),
        (replace(EVIDENCE, dirty=True), VERDICT, "edits"),
        (replace(EVIDENCE, partial="suites api"), VERDICT, "a part of the tests only: suites api"),
        (replace(EVIDENCE, images=()), VERDICT, "no image"),
        (replace(EVIDENCE, revision=""), VERDICT, "no revision"),
    ],
)
def test_each_of_these_keeps_a_run_from_being_one(evidence: Evidence, verdict: Verdict, said: str) -> None:
    [reason] = why_no_release(evidence, verdict)
    assert said in reason


def test_all_that_keeps_a_run_from_being_one_is_told_at_once() -> None:
    evidence = replace(EVIDENCE, dirty=True, partial="x", images=(), revision="")
    assert len(why_no_release(evidence, replace(VERDICT, level="fail"))) == 5


def test_one_that_is_what_was_made_fits() -> None:
    assert found() == []


@pytest.mark.parametrize("name", [name for name in FILES if name != "release.json"])
def test_a_file_that_was_exchanged_is_named(name: str) -> None:
    [said] = found(changed=name)
    assert said.startswith(f"{name} is not the one that was released: sha256:")
    [said] = list(misfits(replace(RELEASE, files={**RELEASE.files, name: ""}), FILES_OF, VERDICT, lambda: VERDICT))
    assert said.startswith(f"{name} is not the one that was released")
    without = {one: digest for one, digest in RELEASE.files.items() if one != name}
    assert len(found(replace(RELEASE, files=without))) == 1, "a file that is not bound at all"


def test_an_image_that_the_verdict_does_not_speak_of_is_named() -> None:
    other = replace(BACKEND, digest=OTHER_DIGEST)
    assert found(replace(RELEASE, images=(other,))) == [
        f"its verdict says nothing of the image backend {OTHER_DIGEST[:19]}",
        f"its verdict is of {BACKEND.digest[:19]} too, which is not released",
    ]
    more = replace(BACKEND, name="sync", digest=OTHER_DIGEST)
    assert found(replace(RELEASE, images=(BACKEND, more))) == [
        f"its verdict says nothing of the image sync {OTHER_DIGEST[:19]}"
    ]


def test_a_service_without_an_image_is_named() -> None:
    extra = replace(RELEASE.services[0], name="sync")
    assert found(replace(RELEASE, services=(*RELEASE.services, extra))) == ["it has no image of the service sync"]


def test_a_verdict_of_another_run_or_of_other_evidence_is_told() -> None:
    other = replace(VERDICT, run_id="another")
    [run, computed] = found(verdict=other)
    assert run == "its verdict is of the run another"
    assert computed.startswith("its evidence makes a verdict of pass, score 100, not the one")
    made = list(misfits(RELEASE, FILES_OF, VERDICT, lambda: WARNED))
    assert made == [f"its evidence makes a verdict of warn, score {WARNED.score:g}, not the one that goes with it"]


def test_a_verdict_that_cannot_be_computed_hides_nothing_else() -> None:
    def judged() -> Verdict:
        raise PolicyError("policy.toml", ["line 1: no such key"])

    files = FILES_OF | {"policy.toml": b"x = 1"}
    said = list(misfits(replace(RELEASE, id="another"), files, VERDICT, judged))
    assert [one.partition(":")[0] for one in said] == [
        "policy.toml is not the one that was released",
        f"its verdict is of the run {EVIDENCE.run_id}",
        "its verdict cannot be computed again",
    ]
    assert "no such key" in said[-1]


def test_everything_that_does_not_fit_is_told_at_once() -> None:
    release = replace(RELEASE, id="another", images=(replace(BACKEND, digest=OTHER_DIGEST),), files={})
    said = list(misfits(release, FILES_OF, VERDICT, lambda: WARNED))
    assert len(said) == 4 + 1 + 2 + 1


@pytest.mark.parametrize(
    ("level", "accept", "taken"),
    [
        ("pass", "pass", True),
        ("pass", "warn", True),
        ("warn", "warn", True),
        ("warn", "pass", False),
        ("fail", "warn", False),
        ("fail", "pass", False),
        ("fail", "fail", False),
    ],
)
def test_a_target_takes_what_it_accepts_and_never_a_fail(level: Level, accept: Level, taken: bool) -> None:
    verdict = replace(VERDICT, level=level, reasons=("one", "two", "three", "four"))
    said = why_not_accepted(RELEASE, verdict, accept)
    assert said == ("" if taken else f"the verdict of {RELEASE.id} is {level}, score 100: one; two; three")


def test_a_refusal_without_a_reason_says_so() -> None:
    assert why_not_accepted(RELEASE, replace(VERDICT, level="warn"), "pass").endswith("no reason given")
