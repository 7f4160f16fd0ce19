"""Log lines and log metrics of a Loki, its labels and its configuration."""

from typing import Any

from sluice.adapters.query_api import Http, ask, ask_yaml, series_of
from sluice.domain import Series
from sluice.errors import EvidenceError
from sluice.ports import LogLine

_SERVER = "Loki"
# Loki refuses more a query (limits_config.max_entries_limit_per_query, 5000 unless configured).
_PAGE = 5000
_NANOSECONDS = 1_000_000_000

_Entry = tuple[int, dict[str, str], str]


class LokiLogs:
    """Implements ports.Logs over a ServiceProxy or any client whose base is a Loki."""

    def __init__(self, http: Http, *, page: int = _PAGE) -> None:
        self._http = http
        self._page = page

    async def lines(self, query: str, *, start: float, end: float, limit: int = 1000) -> tuple[LogLine, ...]:
        """The log lines of a window, oldest first, the end excluded; what a parser extracts is in the labels.

        Raises EvidenceError when the query is refused, and when it is a metric query.
        """
        found: list[_Entry] = []
        since, until = _nanoseconds(start), _nanoseconds(end)
        while len(found) < limit:
            # The lines of the last nanosecond come again, for a page may end between two of them.
            again = [entry for entry in found if entry[0] == since]
            size = min(limit - len(found) + len(again), self._page)
            page = await self._page_of(query, since, until, size)
            fresh = [entry for entry in page if entry not in again]
            found += fresh
            if len(page) < size or not fresh:
                break
            since = page[-1][0]
        return tuple(LogLine(at / _NANOSECONDS, labels, text) for at, labels, text in found[:limit])

    async def _page_of(self, query: str, since: int, until: int, size: int) -> list[_Entry]:
        params = {
            "query": query,
            "start": str(since),
            "end": str(until),
            "limit": str(size),
            "direction": "forward",
        }
        data = await ask(self._http, "/loki/api/v1/query_range", params, server=_SERVER, query=query)
        kind = data.get("resultType") if isinstance(data, dict) else None
        if kind != "streams":
            raise EvidenceError(
                f"the query {query} gives no log lines",
                seen=f"a result of type {kind}",
                expected="a log query",
                next_command="ask for its value with an instant query",
            )
        return _entries(data["result"])

    async def instant(self, query: str, *, at: float | None = None) -> tuple[Series, ...]:
        """A metric query over logs at a time, one point a series. Raises EvidenceError when it is refused."""
        params = {"query": query} | ({"time": str(_nanoseconds(at))} if at is not None else {})
        data = await ask(self._http, "/loki/api/v1/query", params, server=_SERVER, query=query)
        return series_of(data, server=_SERVER, query=query)

    async def range(self, query: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
        """A metric query over a window, a point every `step` s. Raises EvidenceError when it is refused."""
        params = {
            "query": query,
            "start": str(_nanoseconds(start)),
            "end": str(_nanoseconds(end)),
            "step": f"{step:g}",
        }
        data = await ask(self._http, "/loki/api/v1/query_range", params, server=_SERVER, query=query)
        return series_of(data, server=_SERVER, query=query)

    async def labels(self) -> frozenset[str]:
        """The names of the labels of the last hours. Raises EvidenceError when it is refused."""
        path = "/loki/api/v1/labels"
        return frozenset(map(str, await ask(self._http, path, {}, server=_SERVER, query=path) or ()))

    async def config(self) -> dict[str, Any]:
        """The configuration that it runs with, defaults included. Raises EvidenceError when it is refused.

        It is YAML, and no JSON: https://grafana.com/docs/loki/latest/reference/loki-http-api/#list-current-configuration
        """
        return await ask_yaml(self._http, "/config", server=_SERVER)


def _entries(streams: Any) -> list[_Entry]:
    """The lines of all streams in the order of time; Loki groups them by stream."""
    entries = [(int(at), dict(stream["stream"]), str(text)) for stream in streams for at, text, *_ in stream["values"]]
    return sorted(entries, key=lambda entry: entry[0])


def _nanoseconds(seconds: float) -> int:
    return int(seconds * _NANOSECONDS)
