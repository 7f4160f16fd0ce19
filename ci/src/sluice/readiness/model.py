"""Items of the catalog, confirmations, and what readiness comes to; times are seconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from sluice.policy.exceptions import Moment
from sluice.policy.model import STRICT

SCHEMA: Literal["sluice.readiness/v1"] = "sluice.readiness/v1"
# Where a check looks: the tree, its charts as they are rendered for the target, and what answers on the target.
Source = Literal["tree", "charts", "cluster", "prometheus", "alertmanager", "loki", "ledger"]
OF_TREE: tuple[Source, ...] = ("tree", "charts")  # no cluster is needed for these
ON_TARGET: tuple[Source, ...] = ("cluster", "prometheus", "alertmanager", "loki", "ledger")
# Only the first two count. `unchecked` is what could not be looked at: it counts as a failure does.
State = Literal["passed", "confirmed", "failed", "unchecked", "unconfirmed"]
COUNTED: tuple[State, ...] = ("passed", "confirmed")
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z]+$")]


@dataclass(frozen=True)
class Section:
    """A part of the catalog; `name` begins the ids of its items."""

    __pydantic_config__ = STRICT

    name: Name
    title: Text
    why: Text


@dataclass(frozen=True)
class Item:
    """Something that production asks for. Without `reads` a person confirms it, for `days` at most.

    `weight` is 1 for what helps, 2 for what is needed, 3 for what an outage or a loss follows from.
    """

    __pydantic_config__ = STRICT

    id: Annotated[str, Field(pattern=r"^[a-z]+\.[a-z0-9]+(-[a-z0-9]+)*$")]
    what: Text
    why: Text
    how: Text
    reads: tuple[Source, ...] = ()
    weight: Annotated[int, Field(ge=1, le=3)] = 1
    days: Annotated[int, Field(ge=1, le=366)] = 180

    @property
    def section(self) -> str:
        """The name of its section."""
        return self.id.partition(".")[0]

    @property
    def automatic(self) -> bool:
        """Whether a machine checks it."""
        return bool(self.reads)


@dataclass(frozen=True)
class Catalog:
    """All sections, and all items in the order of their sections."""

    __pydantic_config__ = STRICT

    schema: Literal["sluice.readiness-catalog/v1"]
    sections: Annotated[tuple[Section, ...], Field(alias="section")] = ()
    items: Annotated[tuple[Item, ...], Field(alias="item")] = ()

    def of(self, section: str) -> tuple[Item, ...]:
        """Return the items of a section."""
        return tuple(item for item in self.items if item.section == section)


@dataclass(frozen=True)
class Confirmation:
    """Somebody's word that an item holds on a target; `note` says what they looked at."""

    __pydantic_config__ = STRICT

    item: Text
    target: Text
    who: Text
    when: Moment
    until: Moment
    note: Text


@dataclass(frozen=True)
class Found:
    """What a check saw, and what of it is wrong: nothing where it passes."""

    seen: str
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True)
class ItemResult:
    """What an item came to: `seen` is what was looked at, `wrong` what is against it, the rest a confirmation's."""

    id: str
    what: str
    by: Literal["machine", "person"]
    state: State
    weight: int
    seen: str = ""
    wrong: tuple[str, ...] = ()
    who: str = ""
    confirmed: float = 0.0
    until: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether its weight counts."""
        return self.state in COUNTED


@dataclass(frozen=True)
class SectionScore:
    """A section in points of 100: the weight of what counts by that of all its items, `weight`."""

    name: str
    title: str
    score: float
    weight: int
    items: tuple[ItemResult, ...]


@dataclass(frozen=True)
class Readiness:
    """What a target came to at a time: readiness.json. `required` is the score that its file asks for.

    `missing` says of sources that could not be asked why; what reads them is not checked, and not passed.
    """

    schema: Literal["sluice.readiness/v1"]
    target: str
    at: float
    score: float
    required: float
    sections: tuple[SectionScore, ...]
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def items(self) -> tuple[ItemResult, ...]:
        """All items."""
        return tuple(item for section in self.sections for item in section.items)

    @property
    def enough(self) -> bool:
        """Whether the score is what is asked for."""
        return self.score >= self.required
