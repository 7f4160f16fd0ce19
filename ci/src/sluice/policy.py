"""release/policy.toml → Policy: what the gate asks of a run; all mistakes at once, each with its line.

The words follow Keptn v1's SLO file (objectives with pass and warning criteria, weight, key_sli and
total_score): https://github.com/keptn/spec/blob/master/service_level_objective.md
Criteria are absolute here: a bound in the objective's own unit.
"""

import json
import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from sluice.errors import PolicyError
from sluice.toml_lines import line_of, syntax_line_and_column

SCHEMA = "sluice.policy/v1"
TESTS_QUERIES = ("passed_ratio",)

_LONGEST_WINDOW = 86_400.0
_STRICT = ConfigDict(strict=True, extra="forbid")
_PLACEHOLDERS = ("window", "namespace")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
_WINDOW = re.compile(r"\{window\}")
_CRITERION = re.compile(r"(<=|>=|==|<|>)\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)")
_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

Operator = Literal["<", "<=", "==", ">=", ">"]


@dataclass(frozen=True)
class Criterion:
    """A comparison with a bound in the objective's unit, such as `<= 0.01`."""

    operator: Operator
    bound: float

    @classmethod
    def parse(cls, text: str) -> "Criterion":
        """Read `<= 0.01`. Raises ValueError for whatever is not one comparison with one finite number."""
        found = _CRITERION.fullmatch(text.strip())
        if not found or not math.isfinite(float(found[2])):
            raise ValueError('expected one of < <= == >= > and a number, such as "<= 0.01"')
        return cls(found[1], float(found[2]))  # type: ignore[arg-type]  # checked by the pattern

    def __str__(self) -> str:
        return f"{self.operator} {self.bound:.15g}"

    def holds(self, value: float) -> bool:
        """Whether the value meets the criterion; NaN meets none."""
        match self.operator:
            case "<":
                return value < self.bound
            case "<=":
                return value <= self.bound
            case "==":
                return value == self.bound
            case ">=":
                return value >= self.bound
            case ">":
                return value > self.bound

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
        if other.operator == "==":
            return self.holds(other.bound)
        if self.operator[0] != other.operator[0]:
            return False
        slack = self.bound - other.bound if self.operator[0] == "<" else other.bound - self.bound
        return slack > 0 or (slack == 0 and (self.operator == other.operator or "=" in self.operator))


def _parse(text: object) -> object:
    if not isinstance(text, str):
        raise PydanticCustomError("criterion", 'expected a comparison in quotes, such as "<= 0.01"')
    try:
        return Criterion.parse(text)
    except ValueError as error:
        raise PydanticCustomError("criterion", "{why}", {"why": str(error)}) from None


def _window(value: object) -> object:
    """A validator of its own: a union would tell each mistake once per branch."""
    in_range = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _LONGEST_WINDOW
    if value == "run" or in_range:
        return value
    raise PydanticCustomError("window", 'expected "run", or seconds above 0 and up to 86400')


_Criterion = Annotated[Criterion, BeforeValidator(_parse)]
_Text = Annotated[str, Field(min_length=1)]
_Window = Annotated[Literal["run"] | float, BeforeValidator(_window)]
_Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


@dataclass(frozen=True)
class Objective:
    """One line of the policy. Bounds and measured values are in `unit`.

    `query` gives one number a series at the end of the window; with several series the worst one counts.
    `samples_query` counts what stands behind that number (requests, log lines); without it, the series count.
    `window` is the time of the suites ("run") or a number of seconds that end where the suites ended.
    Of kind `tests`, `query` is one of TESTS_QUERIES and is answered from the test results in the evidence.
    """

    __pydantic_config__ = _STRICT

    name: Annotated[str, Field(pattern=_NAME)]
    kind: Literal["promql", "logql", "tests"]
    query: _Text
    unit: _Text
    pass_criterion: Annotated[_Criterion, Field(alias="pass")]
    warn_criterion: Annotated[_Criterion | None, Field(alias="warn")] = None
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    key: bool = False
    min_samples: Annotated[int, Field(ge=1)] = 1
    samples_query: _Text | None = None
    plot_query: _Text | None = None
    window: _Window = "run"
    description: str = ""

    def window_seconds(self, run_seconds: float) -> float:
        """The length of this objective's window, given that of the suites' run, in seconds."""
        return run_seconds if self.window == "run" else self.window

    def asks(self, query: str) -> bool:
        """Whether this text is what the objective's query becomes once its placeholders are filled in."""
        pattern = re.escape(self.query.strip())
        for name, filling in (("window", r"[\d.]+(?:ms|s)"), ("namespace", r"[a-z0-9-]+")):
            pattern = pattern.replace(re.escape(f"{{{name}}}"), filling)
        return query.strip() == self.query.strip() or re.fullmatch(pattern, query.strip()) is not None


@dataclass(frozen=True)
class Policy:
    """What a run must show. The two scores are percent of the weights' sum, as in Keptn v1's total_score."""

    __pydantic_config__ = _STRICT

    schema: Literal["sluice.policy/v1"]
    required_suites: tuple[Annotated[str, Field(pattern=_NAME)], ...]
    objectives: Annotated[tuple[Objective, ...], Field(alias="objective")]
    pass_score: _Percent = 90.0
    warn_score: _Percent = 75.0


def expand(query: str, *, window_seconds: float, namespace: str) -> str:
    """Fill in `{window}` and `{namespace}`; all other braces belong to PromQL and LogQL.

    The window becomes whole seconds, at least one, since a range of 0 s is refused by both servers.
    """
    return _WINDOW.sub(f"{max(1, round(window_seconds))}s", query).replace("{namespace}", namespace)


def load_policy(path: Path) -> Policy:
    """Return the policy in a file.

    Raises PolicyError that names every mistake, each with its line, or the place where the text is not TOML.
    """
    cure = f"mend {path.name}; release/README.md lists what it may hold"
    try:
        text = path.read_text(encoding="utf-8")
        given = tomllib.loads(text)
    except OSError as error:
        raise PolicyError(
            str(path), [f"cannot be read: {error.strerror}"], expected="a policy", next_command=cure
        ) from None
    except UnicodeDecodeError as error:
        mistake = f"byte {error.start} is not UTF-8"
        raise PolicyError(str(path), [mistake], expected="TOML 1.0 in UTF-8", next_command=cure) from None
    except tomllib.TOMLDecodeError as error:
        line, column = syntax_line_and_column(text, error)
        mistake = f"line {line}, column {column}: {str(error).split(' (at ')[0]}"
        raise PolicyError(str(path), [mistake], expected="TOML 1.0", next_command=cure) from None
    policy: Policy | None = None
    found = list(_contradictions(given))
    try:
        # By way of JSON, where strict still takes an array for a tuple. A date becomes what no key accepts.
        policy = TypeAdapter(Policy).validate_json(json.dumps(given, default=lambda date: [str(date)]))
    except ValidationError as error:
        found += [(tuple(mistake["loc"]), _said(mistake)) for mistake in error.errors()]
    if policy is None or found:
        told = {(line_of(text, place) or 1, f"{_shown(place, given)}: {said}") for place, said in found}
        mistakes = [f"line {line}: {said}" for line, said in sorted(told)]
        raise PolicyError(str(path), mistakes, expected="the keys that release/README.md lists", next_command=cure)
    return policy


def _contradictions(given: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is wrong between values that are each well-formed; of the raw file, so that nothing hides them."""
    # Not by pydantic's min_length: that counts what is left once the broken ones are taken out.
    for key in ("required_suites", "objective"):
        if given.get(key) == []:
            yield (key,), "is empty: such a policy asks for nothing"
    bounds = given.get("pass_score", 90.0), given.get("warn_score", 75.0)
    if all(isinstance(bound, int | float) for bound in bounds) and bounds[1] > bounds[0]:
        yield ("warn_score",), f"{bounds[1]:g} is above pass_score, which is {bounds[0]:g}"
    objectives = given.get("objective")
    seen: dict[str, int] = {}
    for index, objective in enumerate(objectives if isinstance(objectives, list) else ()):
        if not isinstance(objective, dict):
            continue
        name = objective.get("name")
        if isinstance(name, str) and seen.setdefault(name, index) != index:
            yield ("objective", index, "name"), f"objective {seen[name] + 1} has this name too"
        yield from ((("objective", index, *place), said) for place, said in _objective_contradictions(objective))


def _objective_contradictions(objective: dict[str, Any]) -> Iterator[tuple[tuple[str], str]]:
    kind = objective.get("kind")
    for key in ("query", "samples_query", "plot_query"):
        text = objective.get(key)
        if not isinstance(text, str):
            continue
        if kind == "tests" and key != "query":
            yield (key,), "an objective of kind tests has none: the tests are the samples"
        elif kind == "tests" and text not in TESTS_QUERIES:
            yield (key,), f"of kind tests it is one of {', '.join(TESTS_QUERIES)}"
        for placeholder in _PLACEHOLDER.findall(text) if kind != "tests" else ():
            if placeholder not in _PLACEHOLDERS:
                yield (
                    (key,),
                    f"no such placeholder: {{{placeholder}}}; there are {{window}} and {{namespace}}",
                )
    try:
        strict, loose = Criterion.parse(objective["pass"]), Criterion.parse(objective["warn"])
    except (KeyError, ValueError, AttributeError):
        return
    if not loose.allows_all_of(strict):
        yield ("warn",), f"{loose} refuses values that pass with {strict}: a warning is the looser of the two"


def _said(mistake: Any) -> str:
    """One of pydantic's findings in words, with the value that was seen."""
    if mistake["type"] == "missing":
        return "is missing"
    if mistake["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return "no such key"
    seen = mistake["input"]
    said = str(mistake["msg"]).removeprefix("Input ")
    return said if isinstance(seen, dict | list) else f"{said}, seen {json.dumps(seen)}"


def _shown(place: Sequence[str | int], given: dict[str, Any]) -> str:
    """The place in the file's words: objective "p95-latency" weight."""
    parts = list(place)
    words = []
    if len(parts) > 1 and parts[0] == "objective" and isinstance(parts[1], int):
        objective = given["objective"][parts[1]]
        name = objective.get("name") if isinstance(objective, dict) else None
        words = [f'objective "{name}"' if isinstance(name, str) else f"objective {parts[1] + 1}"]
        parts = parts[2:]
    words += [str(part) for part in parts]
    return " ".join(words) or "the policy"
