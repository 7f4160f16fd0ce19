"""release/error-budget.toml → from which share of a budget on what happens; docs/error-budget-policy.md explains it.

A stage may name the objective of release/policy.toml by which the gate acts at the same share: that both say the same
number is looked after here, so that neither is changed alone.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from sluice.policy import Policy
from sluice.policy.checked import Mistake, entries, load_checked
from sluice.policy.model import NAME, STRICT, Objective, told

FILE = Path("release/error-budget.toml")
_DOCUMENTED = "docs/error-budget-policy.md"
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Stage:
    """What happens from a share of the budget on."""

    __pydantic_config__ = STRICT

    name: Annotated[str, Field(pattern=NAME), told("small letters, digits and `-`; each once")]
    spent: Annotated[
        float, Field(gt=0, le=10), told("the share of the budget that is spent, from which on it is in force; rising")
    ]
    then: Annotated[str, Field(min_length=1), told("what happens, in a sentence")]
    objective: Annotated[
        str,
        told("of `release/policy.toml`, kind `slo`: the gate acts by it, and it passes with 1 - `spent` left or more"),
    ] = ""


@dataclass(frozen=True)
class BudgetPolicy:
    """All stages, rising."""

    __pydantic_config__ = STRICT

    schema: Literal["sluice.error-budget/v1"]
    stages: Annotated[tuple[Stage, ...], Field(alias="stage")]

    def stage(self, spent: float | None) -> Stage | None:
        """Return the last stage that a spent share has reached; None below the first, and where nothing is known."""
        reached = [one for one in self.stages if spent is not None and spent >= one.spent - _TOLERANCE]
        return reached[-1] if reached else None


def load_budget_policy(root: Path, policy: Policy) -> BudgetPolicy:
    """Return the stages of a tree. Raises PolicyError that names every mistake, each with its line."""

    def contradictions(given: dict[str, Any]) -> Iterator[Mistake]:
        yield from _contradictions(given, policy.objectives)

    return load_checked(
        root / FILE, BudgetPolicy, contradictions, tables="stage", named_by="name", documented=_DOCUMENTED
    )


def _contradictions(given: dict[str, Any], objectives: Collection[Objective]) -> Iterator[Mistake]:
    if given.get("stage") == []:
        yield ("stage",), "is empty: such a policy asks for nothing"
    known = {one.name: one for one in objectives}
    names: set[str] = set()
    last = 0.0
    for index, stage in entries(given, "stage"):
        name, spent, objective = (stage.get(key) for key in ("name", "spent", "objective"))
        if isinstance(name, str) and name in names:
            yield ("stage", index, "name"), "another stage has this name too"
        names |= {name} if isinstance(name, str) else set()
        if not isinstance(spent, int | float) or isinstance(spent, bool):
            continue
        if 0 < spent <= last:  # below it is no share at all, which is told already
            yield ("stage", index, "spent"), f"{spent:g} is not above {last:g}, that of the stage before"
        last = max(last, spent)
        if isinstance(objective, str) and objective and (why := _unfit(known.get(objective), spent)):
            yield ("stage", index, "objective"), why


def _unfit(objective: Objective | None, spent: float) -> str:
    """Why the gate does not act at this share by the objective; empty where it does."""
    if objective is None:
        return "release/policy.toml has no such objective"
    if (objective.kind, objective.query) != ("slo", "budget_left"):
        return f"it asks for {objective.query} of kind {objective.kind}, expected budget_left of kind slo"
    criterion = objective.pass_criterion
    if criterion.operator != ">=" or abs(criterion.bound - (1 - spent)) > _TOLERANCE:
        return f"it passes with {criterion} left, and {spent:g} spent leaves {1 - spent:.15g}"
    return ""
