"""Catalog, confirmations and the score: weights, what counts, and all mistakes at once with their lines."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.readiness.good import GKE, NOW, good

from sluice.domain import dump, load
from sluice.errors import PolicyError
from sluice.readiness import judge, load_catalog, load_confirmations
from sluice.readiness.model import Catalog, Confirmation, Found, Item, Readiness, Section
from sluice.readiness.snapshot import Snapshot

SECTIONS = (Section("one", "One", "because"), Section("two", "Two", "because"))
ITEMS = (
    Item("one.light", "w", "w", "h", ("tree",), 1),
    Item("one.heavy", "w", "w", "h", ("charts",), 3),
    Item("two.said", "w", "w", "h", (), 2, 30),
)
SMALL = Catalog("sluice.readiness-catalog/v1", SECTIONS, ITEMS)
SNAPSHOT = Snapshot(NOW, GKE)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def moment(after: timedelta) -> datetime:
    return datetime.fromtimestamp(NOW, UTC) + after


def said(*, target: str = "gke", until: timedelta = DAY) -> Confirmation:
    return Confirmation("two.said", target, "Ada", moment(-HOUR), moment(until), "looked")


def judged(*wrong: str, confirmations: Iterable[Confirmation] = (), required: float = 0.0) -> Readiness:
    checks = {item.id: lambda _, item=item: Found("x", ("no",) if item.id in wrong else ()) for item in ITEMS[:2]}
    return judge(SMALL, SNAPSHOT, confirmations, required=required, checks=checks)


def test_points_are_weights_of_a_section_and_of_the_whole() -> None:
    found = judged("one.light", confirmations=[said()])
    assert [one.score for one in found.sections] == [75.0, 100.0]
    assert [one.weight for one in found.sections] == [4, 2]
    assert found.score == 83.3, "5 of 6, rounded down"
    assert judged(confirmations=[said()]).score == 100.0
    assert judged("one.light", "one.heavy").score == 0.0


@pytest.mark.parametrize(("required", "enough"), [(0.0, True), (83.3, True), (83.4, False), (100.0, False)])
def test_a_score_is_enough_where_it_reaches_what_is_asked_for(required: float, enough: bool) -> None:
    assert judged("one.light", confirmations=[said()], required=required).enough is enough


def test_a_confirmation_counts_for_its_target_and_its_time() -> None:
    [two] = judged(confirmations=[said()]).sections[1].items
    assert (two.state, two.who, two.seen, two.until) == ("confirmed", "Ada", "looked", NOW + 86_400)
    for other in ([], [said(target="aks")], [said(until=timedelta())], [said(until=-HOUR / 2)]):
        [two] = judged(confirmations=other).sections[1].items
        assert (two.state, two.counts) == ("unconfirmed", False)
        assert two.wrong
    assert two.wrong == ("the confirmation of Ada is over",)


def test_nobodys_word_stands_in_for_a_check() -> None:
    given = replace(said(), item="one.heavy")
    assert judged("one.heavy", confirmations=[given]).sections[0].items[1].state == "failed"


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), ValueError("x"), AttributeError("x")])
def test_what_cannot_be_read_is_not_passed(error: Exception) -> None:
    def check(_: Snapshot) -> Found:
        raise error

    found = judge(SMALL, SNAPSHOT, checks={"one.light": check, "one.heavy": lambda _: Found("x")})
    assert [item.state for item in found.items] == ["unchecked", "passed", "unconfirmed"]
    assert "cannot be read" in found.items[0].wrong[0]
    assert judge(SMALL, SNAPSHOT, checks={}).score == 0.0, "nor is what there is no check of"


def test_it_is_written_and_read_back(tmp_path: Path) -> None:
    found = judge(load_catalog(), good(), required=85.0)
    (tmp_path / "readiness.json").write_bytes(dump(found))
    assert load(Readiness, tmp_path / "readiness.json") == found


def test_the_catalog_has_the_twelve_sections() -> None:
    catalog = load_catalog()
    assert len(catalog.sections) == 12
    for section in catalog.sections:
        assert len(catalog.of(section.name)) >= 4
        assert any(item.automatic for item in catalog.of(section.name))
        assert any(not item.automatic for item in catalog.of(section.name))


def test_all_mistakes_of_a_catalog_are_told(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    item = 'what = "w"\nwhy = "w"\nhow = "h"\n'
    path.write_text(
        'schema = "sluice.readiness-catalog/v1"\n'
        '[[section]]\nname = "one"\ntitle = "One"\nwhy = "w"\n'
        '[[section]]\nname = "two"\ntitle = "Two"\nwhy = "w"\n'
        f'[[item]]\nid = "one.a"\n{item}reads = ["moon"]\n'
        f'[[item]]\nid = "one.a"\n{item}reads = ["tree"]\ndays = 3\n'
        f'[[item]]\nid = "three.b"\n{item}weight = 4\n'
    )
    with pytest.raises(PolicyError) as caught:
        load_catalog(path)
    assert [mistake.partition(":")[0] for mistake in caught.value.mistakes] == [
        "line 7",
        "line 15",
        "line 17",
        "line 22",
        "line 24",
        "line 28",
    ]


def confirmations(tmp_path: Path, *entries: str) -> tuple[Confirmation, ...]:
    path = tmp_path / "readiness.toml"
    path.write_text("\n".join(['schema = "sluice.confirmations/v1"', *entries]), encoding="utf-8")
    return load_confirmations(path, SMALL, ["gke", "aks"], now=NOW)


def entry(item: str = "two.said", target: str = "gke", when: timedelta = -HOUR, until: timedelta = DAY) -> str:
    return (
        f'[[confirmation]]\nitem = "{item}"\ntarget = "{target}"\nwho = "Ada"\n'
        f'when = {moment(when).isoformat()}\nuntil = {moment(until).isoformat()}\nnote = "n"'
    )


def test_confirmations_are_read_and_expired_ones_stay(tmp_path: Path) -> None:
    found = confirmations(tmp_path, entry(), entry(target="aks", when=-2 * HOUR, until=-HOUR))
    assert [(one.item, one.target, one.until > moment(timedelta())) for one in found] == [
        ("two.said", "gke", True),
        ("two.said", "aks", False),
    ]
    assert load_confirmations(tmp_path / "none.toml", SMALL, [], now=NOW) == ()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (entry(item="two.none"), 'line 3: confirmation "two.none" item: no such item'),
        (entry(item="one.heavy"), 'line 3: confirmation "one.heavy" item: a machine checks it'),
        (entry(target="mars"), 'line 4: confirmation "two.said" target: no such target; there is aks, gke'),
        (entry(when=HOUR), 'line 6: confirmation "two.said" when: is in the future'),
        (entry(until=-2 * HOUR), 'line 7: confirmation "two.said" until: is not after'),
        (entry(until=31 * DAY), 'line 7: confirmation "two.said" until: is more than 30 days after'),
        (entry().replace('"Ada"', '""'), 'line 5: confirmation "two.said" who: '),
        (entry().replace('note = "n"', 'not = "n"'), "no such key"),
        (entry().replace("+00:00", ""), "expected a time with its zone"),
    ],
)
def test_each_mistake_of_a_confirmation_is_told_with_its_line(tmp_path: Path, given: str, told: str) -> None:
    with pytest.raises(PolicyError) as caught:
        confirmations(tmp_path, given)
    assert any(told in mistake for mistake in caught.value.mistakes), caught.value.mistakes


def test_all_mistakes_of_confirmations_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        confirmations(tmp_path, entry(), entry(), entry(item="x.y"))
    assert [mistake.split(": ")[0] for mistake in caught.value.mistakes] == ["line 10", "line 17"]
    assert "is confirmed for gke already" in caught.value.mistakes[0]
