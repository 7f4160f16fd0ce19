"""The order in which the suites' tests run."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest
from tests.e2e.conftest import pytest_collection_modifyitems

from sluice.steps.suite_plan import PLACES


@dataclass(frozen=True)
class Item:
    """As much of a test as is looked at."""

    name: str
    marker: str = ""

    @property
    def nodeid(self) -> str:
        return self.name

    def iter_markers(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in (self.marker, "anyio") if name]


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
    assert set(PLACES) == {"first", "disturbing", "last"}
