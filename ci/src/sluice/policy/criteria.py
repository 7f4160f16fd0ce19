"""One comparison of the policy: a bound in the objective's unit and, beside it, a change against passed releases."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_ABSOLUTE = re.compile(r"(<=|>=|==|<|>)\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)")
_RELATIVE = re.compile(r"(<=|>=|<|>)\s*([+-]\d+(?:\.\d+)?)\s*%")

Operator = Literal["<", "<=", "==", ">=", ">"]


@dataclass(frozen=True)
class Criterion:
    """A comparison with a bound in the objective's unit, such as `<= 0.01`.

    `change` holds it to the passed releases as well, by the same comparison: 10 is `<= +10 %`, in percent of what they
    had. The absolute bound is always there, so that a first release is judged by something.
    """

    operator: Operator
    bound: float
    change: float | None = None

    @classmethod
    def parse(cls, text: str | Sequence[str]) -> "Criterion":
        """Read `<= 0.01`, or `["<= 0.01", "<= +10 %"]`. Raises ValueError that says what was expected."""
        texts = [text] if isinstance(text, str) else list(text)
        relative = [found for one in texts if (found := _RELATIVE.fullmatch(one.strip()))]
        absolute = [one.strip() for one in texts if not _RELATIVE.fullmatch(one.strip())]
        if relative and not absolute:
            raise ValueError('a change needs an absolute bound beside it, such as ["<= 0.5", "<= +10 %"]')
        if len(absolute) != 1 or len(relative) > 1:
            raise ValueError('expected one absolute bound and at most one change, such as ["<= 0.5", "<= +10 %"]')
        found = _ABSOLUTE.fullmatch(absolute[0])
        if not found or not math.isfinite(float(found[2])):
            raise ValueError('expected one of < <= == >= > and a number, such as "<= 0.01"')
        if relative and relative[0][1] != found[1]:
            raise ValueError(f"both compare in one way, {found[1]} and {relative[0][1]} are two")
        # `found[1]` is an Operator: the pattern knows no other.
        return cls(found[1], float(found[2]), float(relative[0][2]) if relative else None)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.operator} {self.bound:.15g}"

    @property
    def relative(self) -> str:
        """The change in words, `<= +10 %`; empty where there is none."""
        return "" if self.change is None else f"{self.operator} {self.change:+.15g} %"

    def holds(self, value: float, *, low: float | None = None, high: float | None = None) -> bool:
        """Whether the value meets the bound and, where passed releases are given, the change; NaN meets none.

        `low` and `high` are the ends of what a release like the passed ones would show, in the objective's unit.
        """
        if not self._compare(value, self.bound):
            return False
        limit = self.limit(low, high)
        return limit is None or self._compare(value, limit)

    def limit(self, low: float | None, high: float | None) -> float | None:
        """The bound that the change makes of the passed releases' interval; None where there is nothing to compare.

        The end that is kinder to the value: only what is beyond the noise of the passed releases is a change.
        """
        end = high if self.operator[0] == "<" else low
        if self.change is None or end is None:
            return None
        # Of the size of the value, so that `+10 %` is more where it is below zero too. Nothing is divided by it.
        return end + abs(end) * self.change / 100

    def _compare(self, value: float, bound: float) -> bool:
        match self.operator:
            case "<":
                return value < bound
            case "<=":
                return value <= bound
            case "==":
                return value == bound
            case ">=":
                return value >= bound
            case ">":
                return value > bound

    def worst(self, values: Sequence[float]) -> float:
        """The value of several that is furthest from meeting the criterion. Raises ValueError for none."""
        if self.operator in ("<", "<="):
            return max(values)
        if self.operator in (">", ">="):
            return min(values)
        # Both at one distance from the bound: the larger, so that the order of the series does not matter.
        return max(values, key=lambda value: (abs(value - self.bound), value))

    def allows_all_of(self, other: "Criterion") -> bool:
        """Whether every value that meets `other` meets this too."""
        if self.change is not None and (other.change is None or self._slack(self.change, other.change) < 0):
            return False
        if other.operator == "==":
            return self._compare(other.bound, self.bound)
        if self.operator[0] != other.operator[0]:
            return False
        slack = self._slack(self.bound, other.bound)
        return slack > 0 or (slack == 0 and (self.operator == other.operator or "=" in self.operator))

    def _slack(self, own: float, other: float) -> float:
        """How much looser our own bound is than the other; below 0 where it is stricter."""
        return own - other if self.operator[0] == "<" else other - own
