"""approvals.toml: who lets a release go to a target; every mistake at once, and nobody counts twice."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluice.errors import PolicyError
from sluice.promotion.approvals import FILE, Approval, approved_by, load_approvals

ROOT = Path(__file__).parents[3]
NOW = 1_760_000_000.0  # 2025-10-09T08:53:20Z
SCHEMA = 'schema = "sluice.approvals/v1"\n'


def approval(target: str = "gke", release: str = "r1", who: str = "Ada", until: str = "2025-10-10T00:00:00Z") -> str:
    return f'[[approval]]\ntarget = "{target}"\nrelease = "{release}"\nwho = "{who}"\nwhy = "seen"\nuntil = {until}\n'


def loaded(folder: Path, *parts: str) -> tuple[Approval, ...]:
    path = folder / "approvals.toml"
    path.write_text("".join((SCHEMA, *parts)), encoding="utf-8")
    return load_approvals(path, ["gke", "aks"], now=NOW)


def test_people_who_approved_a_release_for_a_target_are_told_each_once(tmp_path: Path) -> None:
    others = (approval(target="aks", who="Eve"), approval(release="r2", who="Eve"))
    found = loaded(tmp_path, approval(), *others, approval(who="Grace"))
    assert approved_by(found, "gke", "r1") == ("Ada", "Grace")
    assert approved_by(found, "gke", "r3") == approved_by(found, "oke", "r1") == ()


def test_two_spellings_are_not_two_people() -> None:
    until = datetime(2025, 10, 10, tzinfo=UTC)
    twice = [Approval("gke", "r1", who, "seen", until) for who in ("Ada Lovelace", " ada  LOVELACE")]
    assert len(approved_by(twice, "gke", "r1")) == 1


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        loaded(
            tmp_path,
            approval(),
            approval(target="ekg"),
            approval(who=" ADA "),
            approval(who="Grace", until="2025-10-09T08:53:20Z"),
            approval(target="aks", who="", until="2025-10-10T00:00:00") + "when = 1\n",
        )
    assert [mistake.partition(", seen")[0] for mistake in caught.value.mistakes] == [
        'line 9: approval "ekg" target: no such target; there is aks, gke',
        'line 17: approval "gke" who: approves release r1 for gke more than once',
        'line 25: approval "gke" until: 2025-10-09T08:53:20+00:00 is over, it is 2025-10-09T08:53:20Z: take it out, or '
        "approve anew",
        'line 29: approval "aks" who: String should have at least 1 character',
        'line 31: approval "aks" until: expected a time with its zone, such as 2027-01-31T18:00:00Z',
        'line 32: approval "aks" when: no such key',
    ]


def test_a_file_that_is_not_there_approves_nothing_and_neither_does_ours(tmp_path: Path) -> None:
    assert load_approvals(tmp_path / "none.toml", [], now=NOW) == ()
    assert (ROOT / FILE).is_file()
    assert load_approvals(ROOT / FILE, [], now=NOW) == ()
