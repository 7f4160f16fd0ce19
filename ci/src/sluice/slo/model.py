"""What a slo.yaml may hold: the part of OpenSLO v1's kind SLO that is used here.

The words are OpenSLO's: https://github.com/OpenSLO/OpenSLO#slo. It allows more than this; what is left out here has no
rule generated from it, so that it is refused instead of being overlooked.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
_Text = Annotated[str, Field(min_length=1, max_length=1050)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class QuerySpec(_Part):
    """PromQL that counts events in the window `{{.window}}`, by namespace and service."""

    query: _Text


class MetricSource(_Part):
    """Where a number comes from."""

    type: Literal["Prometheus"]
    spec: QuerySpec


class Counted(_Part):
    """One side of a ratio."""

    metric_source: Annotated[MetricSource, Field(alias="metricSource")]

    @property
    def query(self) -> str:
        """The PromQL, with its placeholder."""
        return self.metric_source.spec.query.strip()


class RatioMetric(_Part):
    """Good or bad events of all events. `counter` says what stands behind them; nothing depends on it here."""

    counter: bool
    good: Counted | None = None
    bad: Counted | None = None
    total: Counted

    @model_validator(mode="after")
    def _one_side(self) -> "RatioMetric":
        if (self.good is None) == (self.bad is None):
            raise ValueError("good or bad, one of them, stands beside total")
        return self


class IndicatorSpec(_Part):
    """What is measured."""

    ratio_metric: Annotated[RatioMetric, Field(alias="ratioMetric")]


class IndicatorMetadata(_Part):
    """What the indicator is called."""

    name: Name


class Indicator(_Part):
    """The service level indicator."""

    metadata: IndicatorMetadata
    spec: IndicatorSpec


class TimeWindow(_Part):
    """The time that the budget is for. The factors of the alerts belong to 30 days."""

    duration: Literal["30d"]
    is_rolling: Annotated[Literal[True], Field(alias="isRolling")]


class Objective(_Part):
    """The share of events that have to be good.

    Below 0.95 a fast burn (14.4 times the allowed) would need nearly every event to be bad, and could not be tested.
    """

    target: Annotated[float, Field(ge=0.95, le=0.9999)]


class Metadata(_Part):
    """The SLO's name. The annotations are ours: examples.py."""

    name: Name
    display_name: Annotated[_Text | None, Field(alias="displayName")] = None
    annotations: dict[str, str]


class Spec(_Part):
    """The objective and what it is measured by."""

    description: _Text
    service: Name
    indicator: Indicator
    time_window: Annotated[list[TimeWindow], Field(alias="timeWindow", min_length=1, max_length=1)]
    budgeting_method: Annotated[Literal["Occurrences"], Field(alias="budgetingMethod")]
    objectives: Annotated[list[Objective], Field(min_length=1, max_length=1)]


class Slo(_Part):
    """One document of a slo.yaml."""

    api_version: Annotated[Literal["openslo/v1"], Field(alias="apiVersion")]
    kind: Literal["SLO"]
    metadata: Metadata
    spec: Spec

    @property
    def name(self) -> str:
        """The SLO's name, such as availability: unique in its service."""
        return self.metadata.name

    @property
    def ratio(self) -> RatioMetric:
        """The two queries."""
        return self.spec.indicator.spec.ratio_metric

    @property
    def target(self) -> Decimal:
        """The share of good events, such as 0.999, as it is written: 1 - 0.999 in binary is not 0.001."""
        return Decimal(str(self.spec.objectives[0].target))

    @property
    def budget(self) -> Decimal:
        """The share of events that may be bad, such as 0.001."""
        return 1 - self.target

    @property
    def percent(self) -> str:
        """The target in words: 99.9 %."""
        return f"{(self.target * 100).normalize():f} %"
