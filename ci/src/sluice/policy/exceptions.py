"""release/overrides.toml and release/quarantine.toml: what somebody answers for, by name and up to a date."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from sluice.domain import Override, Quarantined
from sluice.moments import rfc3339
from sluice.policy.checked import Mistake, entries, load_checked
from sluice.policy.model import STRICT, Objective


def _moment(text: object) -> datetime:
    """A time with its zone: the same one wherever the file is read."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise PydanticCustomError("moment", "expected a time with its zone, such as 2027-01-31T18:00:00Z")
    return found


_Text = Annotated[str, Field(min_length=1)]
Moment = Annotated[datetime, BeforeValidator(_moment)]


@dataclass(frozen=True)
class _Override:
    __pydantic_config__ = STRICT

    objective: _Text
    who: _Text
    why: _Text
    until: Moment


@dataclass(frozen=True)
class _Overrides:
    __pydantic_config__ = STRICT

    schema: Literal["sluice.overrides/v1"]
    overrides: Annotated[tuple[_Override, ...], Field(alias="override")] = field(default=())


@dataclass(frozen=True)
class _Quarantined:
    __pydantic_config__ = STRICT

    id: _Text
    owner: _Text
    reason: _Text
    expires: Moment


@dataclass(frozen=True)
class _Quarantine:
    __pydantic_config__ = STRICT

    schema: Literal["sluice.quarantine/v1"]
    tests: Annotated[tuple[_Quarantined, ...], Field(alias="test")] = field(default=())


def load_overrides(path: Path, objectives: Collection[Objective], *, now: float) -> tuple[Override, ...]:
    """Return the overrides in a file that may be missing. `now` is in seconds since the epoch.

    Raises PolicyError that names every mistake: unknown objectives, those that must not be overridden, and
    overrides whose time is over.
    """
    known = {objective.name: objective for objective in objectives}

    def contradictions(given: dict[str, Any]) -> Iterator[Mistake]:
        for index, entry in entries(given, "override"):
            name = entry.get("objective")
            if isinstance(name, str):
                refused = why_not_overridden(known.get(name))
                if refused:
                    yield ("override", index, "objective"), refused
            yield from over(entry, "until", ("override", index), now)
        yield from _twice(given, "override", "objective")

    if not path.exists():
        return ()
    found = load_checked(path, _Overrides, contradictions, tables="override", named_by="objective", dates=True)
    return tuple(Override(one.objective, one.who, one.why, one.until.timestamp()) for one in found.overrides)


def why_not_overridden(objective: Objective | None) -> str:
    """Why the policy lets nobody override an objective; empty where somebody may. None is an unknown one."""
    if objective is None:
        return "the policy has no such objective"
    if objective.kind == "tests":
        return "tests are put into quarantine.toml, by name, and never overridden"
    return "" if objective.override else "the policy lets nobody override it (override = false)"


def load_quarantine(path: Path, *, now: float) -> tuple[Quarantined, ...]:
    """Return the tests in quarantine, of a file that may be missing. `now` is in seconds since the epoch.

    Raises PolicyError that names every mistake, entries whose time is over among them.
    """

    def contradictions(given: dict[str, Any]) -> Iterator[Mistake]:
        for index, entry in entries(given, "test"):
            yield from over(entry, "expires", ("test", index), now)
        yield from _twice(given, "test", "id")

    if not path.exists():
        return ()
    found = load_checked(path, _Quarantine, contradictions, tables="test", named_by="id", dates=True)
    return tuple(Quarantined(one.id, one.owner, one.reason, one.expires.timestamp()) for one in found.tests)


def over(
    entry: Mapping[str, Any],
    key: str,
    place: tuple[str, int],
    now: float,
    *,
    cure: str = "mend the cause, or have somebody renew it",
) -> Iterator[Mistake]:
    """The mistake of an entry whose time is over at `now`, in seconds since the epoch; no zone is told by its type."""
    until = entry.get(key)
    if isinstance(until, datetime) and until.tzinfo and until.timestamp() <= now:
        yield (*place, key), f"{until.isoformat()} is over, it is {rfc3339(now)}: {cure}"


def _twice(given: Mapping[str, Any], tables: str, key: str) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, entry in entries(given, tables):
        name = entry.get(key)
        if isinstance(name, str) and name in seen:
            yield (tables, index, key), "is named more than once"
        if isinstance(name, str):
            seen.add(name)
