"""What a policy holds once it was read: objectives with their criteria, and how far the numbers are to be trusted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from sluice.domain import Kind
from sluice.policy.criteria import Criterion

SCHEMA = "sluice.policy/v1"
# What an objective that is no query of its own may ask for.
QUERIES: Mapping[str, tuple[str, ...]] = {
    "tests": ("passed_ratio",),
    "image": ("size", "licences", "vulnerabilities"),
    "slo": ("budget_left", "burn_rate"),
}
# What ./nox -s slo records of every service level objective (docs/slo.md).
_RECORDED = {"budget_left": "slo:period_error_budget_remaining:ratio", "burn_rate": "slo:current_burn_rate:ratio"}

STRICT = ConfigDict(strict=True, extra="forbid")
NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_LONGEST_WINDOW = 86_400.0
_WINDOW = re.compile(r"\{window\}")


def _parse(text: object) -> object:
    if not isinstance(text, str) and not (isinstance(text, list) and all(isinstance(one, str) for one in text)):
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
_Seconds = Annotated[float, Field(ge=0, le=_LONGEST_WINDOW, allow_inf_nan=False)]


@dataclass(frozen=True)
class Objective:
    """One line of the policy. Bounds and measured values are in `unit`.

    `query` gives one number a series at the end of the window; with several series the worst one counts.
    `samples_query` counts what stands behind that number (requests, log lines); without it, the series count.
    `window` is the time of the suites ("run") or a number of seconds that end where the suites ended; `soak` is how
    many seconds of the run it must at least span. Of the kinds in QUERIES, `query` is one of the names there.
    """

    __pydantic_config__ = STRICT

    name: Annotated[str, Field(pattern=NAME)]
    kind: Kind
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
    soak: _Seconds = 0.0
    override: bool = True
    slos: tuple[Annotated[str, Field(pattern=NAME)], ...] = ()
    allow: tuple[_Text, ...] = ()
    database: str = ""

    def window_seconds(self, run_seconds: float) -> float:
        """The length of this objective's window, given that of the suites' run, in seconds."""
        return run_seconds if self.window == "run" else self.window

    @property
    def promql(self) -> str:
        """What Prometheus is asked, with placeholders: of kind slo, the recorded series of the objectives named."""
        if self.kind != "slo":
            return self.query
        which = f',slo=~"{"|".join(self.slos)}"' if self.slos else ""
        return f'{_RECORDED[self.query]}{{namespace="{{namespace}}"{which}}}'

    @property
    def counted_by(self) -> str | None:
        """The query that counts the samples: of kind slo, the events of the last hour where none is given."""
        if self.kind != "slo" or self.samples_query:
            return self.samples_query
        return f"sum({self.promql.replace(_RECORDED[self.query], 'slo:sli_total:increase1h')})"

    def asks(self, query: str) -> bool:
        """Whether this text is what the objective's query becomes once its placeholders are filled in."""
        pattern = re.escape(self.promql.strip())
        for name, filling in (("window", r"[\d.]+(?:ms|s)"), ("namespace", r"[a-z0-9-]+")):
            pattern = pattern.replace(re.escape(f"{{{name}}}"), filling)
        return query.strip() == self.promql.strip() or re.fullmatch(pattern, query.strip()) is not None


@dataclass(frozen=True)
class Baselines:
    """How many passed releases are kept to compare with, and from how many on a noisy value is compared at all."""

    __pydantic_config__ = STRICT

    keep: Annotated[int, Field(ge=1, le=50)] = 5
    needed: Annotated[int, Field(ge=3, le=50)] = 3


@dataclass(frozen=True)
class Trust:
    """From where on Prometheus' own numbers are not believed; seconds.

    `restarts_by` are beginnings of tests' ids: a restart within the window of such a test was provoked by it.
    """

    __pydantic_config__ = STRICT

    max_clock_skew: _Seconds = 2.0
    max_gap: _Seconds = 60.0
    restarts_by: tuple[_Text, ...] = ()


@dataclass(frozen=True)
class Policy:
    """What a run must show. The two scores are percent of the weights' sum, as in Keptn v1's total_score.

    More than `max_flaky` tests that passed only when run again fail the verdict. Without `prometheus`, its clock,
    gaps and restarts are not looked at.
    """

    __pydantic_config__ = STRICT

    schema: Literal["sluice.policy/v1"]
    required_suites: tuple[Annotated[str, Field(pattern=NAME)], ...]
    objectives: Annotated[tuple[Objective, ...], Field(alias="objective")]
    pass_score: _Percent = 90.0
    warn_score: _Percent = 75.0
    max_flaky: Annotated[int, Field(ge=0)] = 3
    baselines: Baselines = field(default=Baselines())
    prometheus: Trust | None = None


def expand(query: str, *, window_seconds: float, namespace: str) -> str:
    """Fill in `{window}` and `{namespace}`; all other braces belong to PromQL and LogQL.

    The window becomes whole seconds, at least one, since a range of 0 s is refused by both servers.
    """
    return _WINDOW.sub(f"{max(1, round(window_seconds))}s", query).replace("{namespace}", namespace)
