"""The order in which the suites' tests run."""

from dataclasses import dataclass
from typing import cast

import pytest
from tests.e2e.conftest import ORDER, pytest_collection_modifyitems


@dataclass(frozen=True)
class Item:
    """As much of a test as is looked at."""

    name: str
    marker: str = ""

    def get_closest_marker(self, name: str) -> bool | None:
        return name == self.marker or None


def test_what_is_marked_goes_where_it_belongs_and_the_rest_stays_as_collected() -> None:
    collected = [
        Item("z", "last"),
        Item("d", "disturbing"),
        Item("b"),
        Item("a"),
        Item("f", "first"),
        Item("c", "last"),
    ]
    pytest_collection_modifyitems(cast("list[pytest.Item]", collected))
    assert [item.name for item in collected] == ["f", "b", "a", "d", "z", "c"]
    assert set(ORDER) == {"first", "disturbing", "last"}
