"""Queries, targets, rules and retention of a Prometheus."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.adapters.query_api import Http, ask, series_of
from sluice.domain import Series
from sluice.errors import EvidenceError

_SERVER = "Prometheus"


@dataclass(frozen=True)
class Target:
    """Something that Prometheus scrapes: `health` is up, down or unknown (not scraped yet)."""

    pool: str
    url: str
    health: str
    error: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Rule:
    """A loaded rule: `health` is ok, err or unknown (not evaluated yet)."""

    group: str
    name: str
    kind: str
    health: str
    error: str


class PrometheusMetrics:
    """Implements ports.Metrics over a ServiceProxy or any client whose base is a Prometheus."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """The query's vector at a time: one point a series. Raises EvidenceError when it is refused."""
        params = {"query": query} | ({"time": _time(at)} if at is not None else {})
        data = await ask(self._http, "/api/v1/query", params, server=_SERVER, query=query)
        if isinstance(data, dict) and data.get("resultType") == "matrix":
            raise EvidenceError(
                f"the query {query} has no value at one time",
                seen="a range vector",
                expected="an instant vector, such as the rate of that range",
                next_command="correct the query in release/policy.toml",
            )
        return series_of(data, server=_SERVER, query=query)

    async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
        """The query over a window, a point every `step` seconds. Raises EvidenceError when it is refused."""
        params = {"query": query, "start": _time(start), "end": _time(end), "step": f"{step:g}"}
        data = await ask(self._http, "/api/v1/query_range", params, server=_SERVER, query=query)
        return series_of(data, server=_SERVER, query=query)

    async def targets(self) -> tuple[Target, ...]:
        """Everything that is scraped now. Raises EvidenceError when it is refused."""
        data = await self._read("/api/v1/targets", {"state": "active"})
        return tuple(
            Target(
                pool=entry["scrapePool"],
                url=entry["scrapeUrl"],
                health=entry["health"],
                error=entry.get("lastError", ""),
                labels=entry.get("labels", {}),
            )
            for entry in data["activeTargets"]
        )

    async def rules(self) -> tuple[Rule, ...]:
        """Every loaded rule. Raises EvidenceError when it is refused."""
        data = await self._read("/api/v1/rules", {})
        return tuple(
            Rule(
                group=group["name"],
                name=rule["name"],
                kind=rule["type"],
                health=rule["health"],
                error=rule.get("lastError", ""),
            )
            for group in data["groups"]
            for rule in group["rules"]
        )

    async def retention(self) -> str:
        """For how long, and up to which size, it keeps: such as `15d or 10GiB`. Raises EvidenceError when refused.

        The format: https://prometheus.io/docs/prometheus/latest/querying/api/#runtime-information
        """
        return str((await self._read("/api/v1/status/runtimeinfo", {})).get("storageRetention", ""))

    async def _read(self, path: str, params: Mapping[str, str]) -> Any:
        return await ask(self._http, path, params, server=_SERVER, query=path)


def _time(seconds: float) -> str:
    # Prometheus keeps milliseconds.
    return f"{seconds:.3f}"
