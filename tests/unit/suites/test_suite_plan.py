"""Which tests run, when, and beside which others: by their markers."""

from pathlib import Path

import pytest
from tests.e2e.renew_times import times_of

from sluice.domain import TestResult
from sluice.errors import SettingsError
from sluice.steps.suite_plan import (
    ALL,
    OTHERS,
    PLACES,
    SUITES_FOLDER,
    Selection,
    Test,
    file_of,
    phases,
    read_times,
    selected,
    selection_of,
    suite_of,
)

ROOT = Path(__file__).parents[3]


def of(place: str, *marks: str) -> Test:
    """A test by its place (`suite/file::name`) and its markers."""
    suite, _, rest = place.partition("/")
    return Test(f"{SUITES_FOLDER}/{suite}/{rest}", frozenset(marks))


def names(lanes: tuple[tuple[str, ...], ...]) -> list[list[str]]:
    return [[test.partition("::")[2] for test in lane] for lane in lanes]


def test_a_phase_follows_another_and_has_two_lanes_where_tests_are_beside() -> None:
    tests = [
        of("a/t.py::last", "last"),
        of("a/t.py::plain"),
        of("b/t.py::beside", "beside", "anyio"),
        of("b/t.py::first", "first"),
        of("b/t.py::first_beside", "first", "beside"),
        of("c/t.py::more"),
        of("c/t.py::disturbing", "disturbing"),
    ]
    assert [names(lanes) for lanes in phases(tests)] == [
        [["first"], ["first_beside"]],
        [["plain", "more"], ["beside"]],
        [["disturbing", "last"]],
    ]


def test_what_goes_one_after_the_other_anyhow_is_one_process() -> None:
    tests = [of("a/t.py::last", "last"), of("a/t.py::plain"), of("b/t.py::first", "first")]
    assert [names(lanes) for lanes in phases(tests)] == [[["first", "plain", "last"]]]
    # A lane of its own kind too, where there is no other.
    assert [names(lanes) for lanes in phases([of("a/t.py::one", "beside"), of("a/t.py::two", "last")])] == [
        [["one", "two"]]
    ]
    assert phases([]) == ()


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_each_test_is_in_one_shard_in_its_order_and_a_file_in_one(shards: int) -> None:
    tests = [of(f"s{number % 3}/test_{number}.py::test_{k}") for number in range(9) for k in range(2)]
    times = {file_of(test.id): float(number) for number, test in enumerate(tests)}
    parts = [selected(tests, Selection(False, one, shards), times) for one in range(1, shards + 1)]
    assert sorted((test for part in parts for test in part), key=tests.index) == tests
    for part in parts:
        assert [test for test in tests if test in part] == list(part)
    files = [{file_of(test.id) for test in part} for part in parts]
    assert sum(map(len, files)) == len({file_of(test.id) for test in tests})


def test_shards_are_balanced_by_the_times_that_are_known() -> None:
    tests = [of(f"s/test_{number}.py::test") for number in range(4)]
    times = {file_of(tests[0].id): 30.0, file_of(tests[1].id): 30.0, file_of(tests[2].id): 90.0}
    first = selected(tests, Selection(False, 1, 2), times)
    assert first == (tests[2],)  # the one that is not known takes less than 30 s


def test_smoke_tests_are_those_that_say_so() -> None:
    tests = [of("a/t.py::one", "smoke"), of("a/t.py::two"), of("b/t.py::three", "smoke", "last")]
    assert selected(tests, Selection(smoke=True), {}) == (tests[0], tests[2])
    assert selected(tests, ALL, {}) == tuple(tests)


@pytest.mark.parametrize(
    ("smoke", "shard", "expected", "said"),
    [
        (False, "", ALL, ""),
        (True, "", Selection(smoke=True), "smoke tests only"),
        (False, "2/3", Selection(False, 2, 3), "shard 2 of 3"),
        (False, "1/1", ALL, ""),
        (True, "1/2", Selection(True, 1, 2), "smoke tests only, shard 1 of 2"),
    ],
)
def test_a_command_line_selects(smoke: bool, shard: str, expected: Selection, said: str) -> None:
    found = selection_of(smoke=smoke, shard=shard)
    assert (found, str(found)) == (expected, said)


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1/0", "2", "a/b", "1/2/3", "-1/2", "1/2 "])
def test_a_shard_that_is_none_is_told(shard: str) -> None:
    with pytest.raises(SettingsError, match="--shard"):
        selection_of(smoke=False, shard=shard)


def test_the_times_of_the_tree_are_of_files_that_are_there() -> None:
    times = read_times(ROOT)
    assert times, "tests/e2e/times.json is what shards are balanced by"
    assert [file for file in times if not (ROOT / file).is_file()] == []
    assert read_times(ROOT / "nowhere") == {}


def test_times_are_renewed_by_file_in_whole_seconds() -> None:
    ran = [TestResult(f"{SUITES_FOLDER}/a/{name}", "a", "passed", 0, seconds) for name, seconds in (
        ("t.py::one", 2.4), ("t.py::two", 2.4), ("u.py::three", 0.1),
    )]  # fmt: skip
    assert times_of(ran) == {f"{SUITES_FOLDER}/a/t.py": 5, f"{SUITES_FOLDER}/a/u.py": 1}


def test_every_marker_is_told_once() -> None:
    assert not PLACES.keys() & OTHERS.keys()
    assert suite_of(f"{SUITES_FOLDER}/logs/test_x.py::test_y[a/b::c]") == "logs"
