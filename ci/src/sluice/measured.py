"""What was measured and what the gate makes of it: part of domain.py's words, which has them all."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import ConfigDict

Level = Literal["pass", "warn", "fail"]
Kind = Literal["promql", "logql", "tests", "image", "slo"]


@dataclass(frozen=True)
class Series:
    """One line of a plot: points are (time, value)."""

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")

    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Measurement:
    """What one objective's query gave.

    `values` has one number a series at the end of the window; `samples` counts what stands behind them
    (scrapes, log lines, tests). `error` is set when the query failed: the gate then fails the objective.
    `names` says of each value whose it is: a series' labels, an image's name; `found` is what was counted, in words.
    """

    # NaN is evidence: as null, JSON could not be read back.
    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")

    objective: str
    kind: Kind
    query: str
    unit: str
    at: float
    window_seconds: float
    values: tuple[float, ...] = ()
    samples: int = 0
    error: str = ""
    series: tuple[Series, ...] = ()
    names: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


@dataclass(frozen=True)
class Baseline:
    """What a passed release measured, to compare with: its measurements without plots; `at` is when it ended."""

    run_id: str
    at: float
    revision: str
    digests: tuple[str, ...]
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True)
class Override:
    """Somebody answers for an objective that fails, up to a time: release/overrides.toml."""

    objective: str
    who: str
    why: str
    until: float


@dataclass(frozen=True)
class Quarantined:
    """A test that may fail up to a time, and whose it is: release/quarantine.toml."""

    id: str
    owner: str
    reason: str
    expires: float


@dataclass(frozen=True)
class Monitoring:
    """What Prometheus said of itself over the suites' window: whether its numbers are to be believed.

    `clock_skew_seconds` is the cluster's clock less the host's, known to `clock_error_seconds` (half of the round
    trip). `starts` are the times at which the Prometheus of the window was started. `longest_gap_seconds` is the
    longest time without a scrape of any target. `error` is set where it could not be asked.
    """

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")

    window_started: float
    window_ended: float
    clock_skew_seconds: float = 0.0
    clock_error_seconds: float = 0.0
    starts: tuple[float, ...] = ()
    longest_gap_seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class ObjectiveResult:
    """One line of the verdict.

    `baseline` is what `baselines` passed releases had, `interval` what one like them would show; `limit` is the bound
    that the relative criterion makes of it. `override` is what somebody answers for.
    """

    name: str
    level: Level
    value: float | None
    unit: str
    pass_criterion: str
    warn_criterion: str
    weight: int
    score: float
    key: bool
    reason: str
    samples: int = 0
    baseline: float | None = None
    baselines: int = 0
    interval: tuple[float, float] | None = None
    limit: float | None = None
    pass_relative: str = ""
    warn_relative: str = ""
    override: Override | None = None


@dataclass(frozen=True)
class Verdict:
    """Pass, warn or fail, and every number it rests on; bound to the image digests it speaks of.

    `reasons` stand against the run, `notes` do not: what a reader should know of a pass. `flaky` tests passed only
    when they were run again, `quarantined` ones failed and did not count.
    """

    schema: str
    run_id: str
    level: Level
    score: float
    pass_score: float
    warn_score: float
    digests: tuple[str, ...]
    objectives: tuple[ObjectiveResult, ...]
    reasons: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()
