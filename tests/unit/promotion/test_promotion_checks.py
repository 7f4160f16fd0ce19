"""Whether a release may go to a target: each reason against it by itself, and all of them at once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from tests.unit.promotion.proven import EVIDENCE, VERDICT, files_of, release_of

from sluice.promotion.approvals import Approval
from sluice.promotion.checks import Known, reasons_against
from sluice.promotion.ledger import Entry, State, append
from sluice.promotion.model import ClusterAccess, Freeze, Registry, Target

RELEASE = release_of(files_of())
DIGEST, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
NOW = datetime(2025, 10, 9, 12, 0, tzinfo=UTC).timestamp()
TARGET = Target("sluice.target/v1", "gke", Registry("r.example.org/x"), ClusterAccess("gke"), name="production")
AFTER_STAGING = replace(TARGET, after=("staging",), soak_seconds=3600.0)
WHOLE: tuple[State, ...] = ("planned", "copied", "deployed", "verified")


def ledger(*promotions: tuple[str, float], states: Sequence[State] = WHOLE) -> tuple[Entry, ...]:
    entries: tuple[Entry, ...] = ()
    for number, (digest, at) in enumerate(promotions):
        for state in states:
            entries = append(entries, Entry(0, at, "staging", f"p{number}", digest, "r", state, "Ada"))
    return entries


def against(target: Target = TARGET, known: Known = Known(at=NOW, digest=DIGEST)) -> list[str]:  # noqa: B008
    return reasons_against(target, RELEASE, VERDICT, known)


def after(*promotions: tuple[str, float], states: Sequence[State] = WHOLE) -> list[str]:
    known = Known(at=NOW, digest=DIGEST, ledgers={"staging": ledger(*promotions, states=states)})
    return against(AFTER_STAGING, known)


def approval(who: str, *, target: str = "production", release: str = EVIDENCE.run_id) -> Approval:
    return Approval(target, release, who, "seen", datetime(2026, 1, 1, tzinfo=UTC))


def test_nothing_is_against_it_where_nothing_is_asked_for() -> None:
    assert against() == []


def test_what_is_unproven_is_told_as_it_was_found() -> None:
    said = ("backend: it is not signed", "backend has no SBOM that cosign.pub signed")
    assert against(known=Known(at=NOW, digest=DIGEST, unproven=said)) == list(said)


def test_a_verdict_that_the_target_does_not_take_is_told() -> None:
    warned = replace(VERDICT, level="warn", reasons=("p95-latency: slow",))
    known = Known(at=NOW, digest=DIGEST)
    [said] = reasons_against(TARGET, RELEASE, warned, known)
    assert "is warn" in said
    assert "p95-latency: slow" in said
    assert reasons_against(replace(TARGET, accept="warn"), RELEASE, warned, known) == []


def test_a_frozen_target_is_told_with_its_reason() -> None:
    frozen = replace(TARGET, freezes=(Freeze(date(2025, 10, 9), date(2025, 10, 10), "the audit"),))
    [said] = against(frozen)
    assert "production is frozen" in said
    assert "the audit" in said


def test_a_first_promotion_that_was_killed_is_finished_in_no_window_too() -> None:
    frozen = replace(TARGET, freezes=(Freeze(date(2025, 10, 9), date(2025, 10, 10), "the audit"),), approvals=1)
    [said] = against(frozen, Known(at=NOW, digest=DIGEST, only_way_out=True))
    assert "approvals" in said, "that is all it is let off"


def test_one_that_was_verified_long_enough_on_the_target_before_may_go() -> None:
    assert after((DIGEST, NOW - 3600)) == []
    assert after((DIGEST, NOW - 3600), (OTHER, NOW - 60)) == [], "it was there for its time, whatever came after it"


@pytest.mark.parametrize(
    "entries",
    [
        (),
        ledger((OTHER, NOW - 9999)),
        ledger((DIGEST, NOW - 9999), states=WHOLE[:-1]),
        ledger((DIGEST, NOW - 9999), states=(*WHOLE[:-1], "rolled-back")),
    ],
    ids=["nothing was", "another was", "under way", "rolled back"],
)
def test_one_that_is_not_verified_on_the_target_before_may_not(entries: tuple[Entry, ...]) -> None:
    [said] = against(AFTER_STAGING, Known(at=NOW, digest=DIGEST, ledgers={"staging": entries}))
    assert said == ("staging comes first, and this release is not verified there: ./nox -s deploy -- --target staging")


def test_a_ledger_that_nobody_gave_is_no_pass() -> None:
    [said] = against(AFTER_STAGING)
    assert "not verified there" in said


def test_one_that_was_not_there_for_its_time_says_how_much_is_left() -> None:
    [said] = after((DIGEST, NOW - 3599))
    assert said == "it is to be on staging for 1:00:00 before production: 0:00:01 are left"
    [said] = after((DIGEST, NOW - 600))
    assert said.endswith("0:50:00 are left")


def test_a_ledger_that_could_not_be_read_is_a_reason_whatever_else_is_known() -> None:
    known = Known(
        at=NOW, digest=DIGEST, ledgers={"staging": ledger((DIGEST, NOW - 9999))}, unread={"staging": "403: forbidden"}
    )
    assert against(AFTER_STAGING, known) == ["staging comes first, and its ledger cannot be read: 403: forbidden"]


def test_every_target_before_is_asked() -> None:
    two = replace(TARGET, after=("canary", "staging"))
    known = Known(at=NOW, digest=DIGEST, unread={"canary": "gone"})
    assert [said.partition(",")[0] for said in against(two, known)] == ["canary comes first", "staging comes first"]
    known = replace(known, ledgers={"staging": ledger((DIGEST, NOW - 1))})
    assert [said.partition(",")[0] for said in against(two, known)] == ["canary comes first"]


@pytest.mark.parametrize(
    ("given", "by"),
    [
        ([], "nobody"),
        ([approval("Ada")], "Ada"),
        ([approval("Ada"), approval(" ADA ")], " ADA "),
        ([approval("Ada"), approval("Eve", target="staging"), approval("Eve", release="another")], "Ada"),
        ([approval("Ada"), approval("Grace")], ""),
    ],
    ids=["none", "one", "one person twice", "of another target and release", "two"],
)
def test_as_many_people_as_the_target_asks_for_have_to_approve(given: list[Approval], by: str) -> None:
    said = against(replace(TARGET, approvals=2), Known(at=NOW, digest=DIGEST, approvals=given))
    expected = f"2 approvals are needed in release/approvals.toml for {RELEASE.id}: approved by {by}"
    assert said == ([expected] if by else [])


def test_every_reason_is_told_at_once() -> None:
    frozen = Freeze(date(2025, 10, 9), date(2025, 10, 9), "x")
    target = replace(AFTER_STAGING, approvals=1, freezes=(frozen,))
    known = Known(at=NOW, digest=DIGEST, unproven=("unsigned",))
    assert len(reasons_against(target, RELEASE, replace(VERDICT, level="fail"), known)) == 5
