"""release/approvals.toml: who lets which release go to which target, and until when."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from sluice.policy.checked import Mistake, entries, load_checked
from sluice.policy.exceptions import Moment, over
from sluice.policy.model import STRICT
from sluice.promotion.model import Text

FILE = "release/approvals.toml"


@dataclass(frozen=True)
class Approval:
    """Somebody's word that a release, given by its id, may go to a target."""

    __pydantic_config__ = STRICT

    target: Text
    release: Text
    who: Text
    why: Text
    until: Moment


@dataclass(frozen=True)
class _Approvals:
    __pydantic_config__ = STRICT

    schema: Literal["sluice.approvals/v1"]
    approvals: Annotated[tuple[Approval, ...], Field(alias="approval")] = field(default=())


def load_approvals(path: Path, targets: Collection[str], *, now: float) -> tuple[Approval, ...]:
    """Return the approvals in a file that may be missing. `targets` are the names of all, `now` is in epoch seconds.

    Raises PolicyError that names every mistake: a target that there is not, an approval whose time is over, one by
    somebody who approved that release for that target already.
    """

    def contradictions(given: dict[str, Any]) -> Iterator[Mistake]:
        seen: set[tuple[Any, ...]] = set()
        for index, entry in entries(given, "approval"):
            place = ("approval", index)
            target, release, who = (entry.get(key) for key in ("target", "release", "who"))
            if isinstance(target, str) and target not in targets:
                yield (*place, "target"), f"no such target; there is {', '.join(sorted(targets)) or 'none'}"
            yield from over(entry, "until", place, now, cure="take it out, or approve anew")
            if isinstance(target, str) and isinstance(release, str) and isinstance(who, str):
                key = (target, release, _person(who))
                if key in seen:
                    yield (*place, "who"), f"approves release {release} for {target} more than once"
                seen.add(key)

    if not path.exists():
        return ()
    return load_checked(path, _Approvals, contradictions, tables="approval", named_by="target", dates=True).approvals


def approved_by(approvals: Iterable[Approval], target: str, release: str) -> tuple[str, ...]:
    """Return the people who let a release, given by its id, go to a target; each once, in the order of the file."""
    people = {_person(one.who): one.who for one in approvals if (one.target, one.release) == (target, release)}
    return tuple(people.values())


def _person(who: str) -> str:
    """A name as one person's, however it is spelled: two spellings are not two people."""
    return " ".join(who.split()).casefold()
