"""Lines of values in TOML texts of every form that a key or a value can have."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.toml_lines import line_of, syntax_line_and_column

TEXT = '''\
# a comment with = and [brackets]
title = "x # no comment"
"quoted key" = 1
dotted.inner."last part" = true
list = [
  1,  # one
  [2, 3],
  { name = "n", deep = { er = 5 } },
]
text = """
[not.a.table]
key = 'not a key' ""\\""""
raw = \'\'\'
a = 1\'\'\'
after = 2024-01-01T00:00:00Z

[table]
key = "v"
[table.sub]
key = 2

[[objective]]
name = "first"

  [objective.plot]
  query = "q"

[[objective]]
name = "second"
weight = 3
[[objective.window]]
seconds = 1
[[objective.window]]
seconds = 2
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param(("title",), 2, id="a key"),
        pytest.param(("quoted key",), 3, id="a quoted key"),
        pytest.param(("dotted", "inner", "last part"), 4, id="a dotted key"),
        pytest.param(("dotted", "inner"), 4, id="a table that a dotted key makes"),
        pytest.param(("list",), 5, id="an array of several lines"),
        pytest.param(("list", 0), 6, id="its first element"),
        pytest.param(("list", 1, 1), 7, id="an element of an array in an array"),
        pytest.param(("list", 2, "deep", "er"), 8, id="a key of an inline table in an inline table"),
        pytest.param(("text",), 10, id="a text of several lines"),
        pytest.param(("key",), None, id="what looks like a key inside that text"),
        pytest.param(("raw",), 13, id="a raw text"),
        pytest.param(("a",), None, id="what looks like a key inside the raw text"),
        pytest.param(("after",), 15, id="a date after them"),
        pytest.param(("table", "key"), 18, id="a key of a table"),
        pytest.param(("table", "sub", "key"), 20, id="a key of a table in a table"),
        pytest.param(("objective", 0, "name"), 23, id="a key of the first of an array of tables"),
        pytest.param(("objective", 0, "plot", "query"), 26, id="a key of a table in it"),
        pytest.param(("objective", 1), 28, id="the second of an array of tables"),
        pytest.param(("objective", 1, "weight"), 30, id="a key of the second"),
        pytest.param(("objective", 1, "window", 1, "seconds"), 34, id="an array of tables in it"),
        pytest.param(("objective", 1, "pass"), 28, id="a missing key has its table's line"),
        pytest.param(("objective", 7, "pass"), 22, id="a missing table has its array's line"),
        pytest.param(("nothing", "at all"), None, id="nothing of the path is there"),
        pytest.param((), None, id="an empty path"),
    ],
)
def test_a_value_has_the_line_it_begins_on(path: tuple[str | int, ...], line: int | None) -> None:
    assert line_of(TEXT, path) == line


def test_the_text_of_this_test_is_toml() -> None:
    assert tomllib.loads(TEXT)["objective"][1]["window"][1] == {"seconds": 2}


def test_windows_line_ends_count_once() -> None:
    assert line_of("a = 1\r\n[t]\r\nb = 2\r\n", ("t", "b")) == 3


def test_a_text_that_is_no_toml_is_read_as_far_as_it_goes() -> None:
    assert line_of("a = 1\nb = \nc = 3\n", ("a",)) == 1
    assert line_of("a = [1, 2", ("a", 1)) == 1
    assert line_of("[", ("a",)) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("a = 1\nb = \n", (2, 5), id="a value is missing"),
        pytest.param("a = 1\na = 2\n", (2, 6), id="a key stands twice"),
        pytest.param('a = 1\nb = """x', (2, 9), id="the text ends too early"),
    ],
)
def test_a_syntax_error_has_a_line_and_a_column(text: str, place: tuple[int, int]) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    assert syntax_line_and_column(text, caught.value) == place


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [deep for key, one in inner for deep in paths(one, (*path, key))]
    return [path, *found] if path else found


def test_every_value_of_our_own_files_has_a_line_and_its_key_is_on_it() -> None:
    root = Path(__file__).parents[3]
    for file in (root / "release" / "policy.toml", root / "pyproject.toml"):
        text = file.read_text(encoding="utf-8")
        for path in paths(tomllib.loads(text)):
            line = line_of(text, path)
            assert line, f"{file.name}: no line of {path}"
            if isinstance(path[-1], str):
                assert path[-1] in text.splitlines()[line - 1]


@given(
    text=st.text(alphabet="ab=.[]{}\"'#,\n\\ 1", max_size=40),
    path=st.sampled_from([("a",), ("a", "b"), ("b", 0)]),
)
def test_no_text_breaks_it(text: str, path: tuple[str | int, ...]) -> None:
    line = line_of(text, path)
    assert line is None or 1 <= line <= text.count("\n") + 1
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for found in paths(value):
        assert line_of(text, found) is not None
