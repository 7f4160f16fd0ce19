"""What a policy holds once it was read: objectives with their criteria, and how far the numbers are to be trusted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

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
    if value in ("run", "undisturbed") or in_range:
        return value
    raise PydanticCustomError("window", 'expected "run", "undisturbed", or seconds above 0 and up to 86400')


def told(meaning: str) -> Any:
    """Return what a key means, for the type that it has; docs/reference is made of it (`./nox -s reference`)."""
    return Field(description=meaning)


_Criterion = Annotated[Criterion, BeforeValidator(_parse)]
_Text = Annotated[str, Field(min_length=1)]
_Window = Annotated[Literal["run", "undisturbed"] | float, BeforeValidator(_window)]
_Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
_Seconds = Annotated[float, Field(ge=0, le=_LONGEST_WINDOW, allow_inf_nan=False)]


@dataclass(frozen=True)
class Objective:
    """One line of the policy. Bounds and measured values are in `unit`."""

    __pydantic_config__ = STRICT

    name: Annotated[str, Field(pattern=NAME), told("small letters, digits and `-`; each once")]
    kind: Annotated[Kind, told("what is asked, and of whom")]
    query: Annotated[
        _Text,
        told(
            "gives one number a series at the end of the window; of several series the worst counts. Of the kinds"
            " `tests`, `image` and `slo` one of the words below"
        ),
    ]
    unit: Annotated[_Text, told("what the number is in; `ratio`, `seconds` and `bytes` are shown as %, ms and MB")]
    pass_criterion: Annotated[
        _Criterion,
        Field(alias="pass"),
        told(
            'a comparison in that unit with `<` `<=` `==` `>=` `>`, such as `"<= 0.01"`; with a change against passed'
            ' releases: `["<= 0.5", "<= +10 %"]`'
        ),
    ]
    warn_criterion: Annotated[_Criterion | None, Field(alias="warn"), told("the same; the looser one of the two")] = (
        None
    )
    weight: Annotated[int, Field(ge=1, le=1000), told("how much it counts in the score")] = 1
    key: Annotated[bool, told("when this objective fails, so does the verdict, whatever the score")] = False
    min_samples: Annotated[int, Field(ge=1), told("fewer samples than this fail the verdict")] = 1
    samples_query: Annotated[
        _Text | None,
        told("counts the samples behind the number: requests, log lines; without it, the series count"),
    ] = None
    plot_query: Annotated[_Text | None, told("what the report draws; without it, `query`")] = None
    window: Annotated[
        _Window,
        told(
            '`"run"`, the time of the suites; `"undisturbed"`, the part of it before the first test of `disturbing`'
            " began; or a number of seconds up to the suites' end"
        ),
    ] = "run"
    description: Annotated[str, told("a sentence for whoever reads the policy")] = ""
    soak: Annotated[_Seconds, told("seconds of the run that the value must have seen, or it fails the verdict")] = 0.0
    override: Annotated[bool, told("`false`: nobody may override it")] = True
    slos: Annotated[
        tuple[Annotated[str, Field(pattern=NAME)], ...],
        told("of kind `slo`: which objectives of `services/*/slo.yaml`; without it all"),
    ] = ()
    allow: Annotated[tuple[_Text, ...], told("of `licences`, required there: those that may be there")] = ()
    database: Annotated[
        str,
        told(
            "of `vulnerabilities`, required there: a file in [OSV's format](https://ossf.github.io/osv-schema/), from"
            " the tree's root"
        ),
    ] = ""

    def window_seconds(self, run_seconds: float) -> float:
        """The length of this objective's window, given that of the suites' run or its undisturbed part, in seconds."""
        return self.window if isinstance(self.window, float | int) else run_seconds

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
    """Passed releases that a run is compared with."""

    __pydantic_config__ = STRICT

    keep: Annotated[int, Field(ge=1, le=50), told("as many passed releases are kept")] = 5
    needed: Annotated[int, Field(ge=3, le=50), told("of fewer nothing is compared")] = 3


@dataclass(frozen=True)
class Trust:
    """From where on Prometheus' own numbers are not believed; without the table they are not looked at."""

    __pydantic_config__ = STRICT

    max_clock_skew: Annotated[_Seconds, told("seconds between the cluster's clock and this host's")] = 2.0
    max_gap: Annotated[_Seconds, told("seconds without a scrape")] = 60.0
    restarts_by: Annotated[
        tuple[_Text, ...],
        told("beginnings of tests' ids: a restart within the window of such a test was provoked by it"),
    ] = ()


@dataclass(frozen=True)
class Policy:
    """What a run must show."""

    __pydantic_config__ = STRICT

    schema: Literal["sluice.policy/v1"]
    required_suites: Annotated[
        tuple[Annotated[str, Field(pattern=NAME)], ...],
        told(
            "suites of `tests/e2e/` that must be there, with at least one test passed and none failed, and that run"
            " where nobody asks for others"
        ),
    ]
    objectives: Annotated[
        tuple[Objective, ...], Field(alias="objective"), told("lines of the verdict, below; at least one")
    ]
    pass_score: Annotated[_Percent, told("percent of the weights' sum from which the verdict is pass")] = 90.0
    warn_score: Annotated[_Percent, told("percent of the weights' sum from which the verdict is warn")] = 75.0
    max_flaky: Annotated[
        int, Field(ge=0), told("more tests than this that passed only when run again fail the verdict")
    ] = 3
    disturbing: Annotated[tuple[_Text, ...], told("beginnings of the ids of tests that break things on purpose")] = ()
    baselines: Annotated[Baselines, told("passed releases to compare with, below")] = field(default=Baselines())
    prometheus: Annotated[Trust | None, told("from where on Prometheus is not believed, below")] = None


def expand(query: str, *, window_seconds: float, namespace: str) -> str:
    """Fill in `{window}` and `{namespace}`; all other braces belong to PromQL and LogQL.

    The window becomes whole seconds, at least one, since a range of 0 s is refused by both servers.
    """
    return _WINDOW.sub(f"{max(1, round(window_seconds))}s", query).replace("{namespace}", namespace)
