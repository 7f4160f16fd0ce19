"""What the APIs of Prometheus, Loki and Alertmanager share: the envelope, its numbers, and how a refusal is told."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

import httpx
import yaml

from sluice.domain import Series
from sluice.errors import ClusterError, EvidenceError


class Http(Protocol):
    """Knows how to get a path of one server: an `httpx.AsyncClient` with a base, or a `ServiceProxy`."""

    async def get(self, url: str, /, *, params: Mapping[str, str] | None = None) -> httpx.Response:
        """Get a path of the server."""
        ...


async def ask(http: Http, path: str, params: Mapping[str, str], *, server: str, query: str) -> Any:
    """Get `path` and return the envelope's data. `server` and `query` are for the error's words only.

    Raises EvidenceError when there is no answer, or a refusal, or not what the API promises.
    """
    response = await _got(http, path, params, server=server, query=query)
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    if response.is_success and isinstance(body, dict) and body.get("status") == "success" and "data" in body:
        return body["data"]
    raise EvidenceError(
        f"{server} refused {query}",
        seen=f"{response.status_code}: {_message(response, body)}",
        expected="status success with data",
        next_command=_again(response.request.url),
    )


async def ask_json(http: Http, path: str, params: Mapping[str, str], *, server: str) -> Any:
    """Get `path` of a server whose answers have no envelope, and return its JSON. Raises EvidenceError like `ask`."""
    response = await _got(http, path, params, server=server, query=path)
    return _read(response, json.loads, "JSON", server=server, path=path)


async def ask_yaml(http: Http, path: str, *, server: str) -> dict[str, Any]:
    """Get `path` and return the map that stands there as YAML. Raises EvidenceError as `ask` does."""
    response = await _got(http, path, {}, server=server, query=path)
    found = _read(response, yaml.safe_load, "YAML", server=server, path=path)
    return found if isinstance(found, dict) else {}


def _read(response: httpx.Response, parse: Callable[[str], Any], form: str, *, server: str, path: str) -> Any:
    seen = f"{response.status_code}: {_message(response, None)}"
    if response.is_success:
        try:
            return parse(response.text)
        except (ValueError, yaml.YAMLError) as error:
            seen = " ".join(str(error).split())[:300]
    raise EvidenceError(
        f"{server} refused {path}",
        seen=seen,
        expected=f"a success, in {form}",
        next_command=_again(response.request.url),
    )


async def _got(http: Http, path: str, params: Mapping[str, str], *, server: str, query: str) -> httpx.Response:
    try:
        # By GET, because that is all a credential which may only read services/proxy is allowed.
        return await http.get(path, params=params)
    except (httpx.HTTPError, ClusterError) as error:
        seen = error.seen if isinstance(error, ClusterError) else f"{type(error).__name__}: {error}".rstrip(": ")
        raise EvidenceError(
            f"{server} did not answer {query}",
            seen=seen,
            expected="an answer",
            next_command="./nox -s doctor",
        ) from error


def _message(response: httpx.Response, body: object) -> str:
    if isinstance(body, dict):
        words = [str(body[key]) for key in ("errorType", "error", "message") if body.get(key)]
        if words:
            return ": ".join(words)
    # Loki refuses in plain text; a proxy on the way may send a page.
    return response.text.strip()[:500] or "an empty body"


def _again(url: httpx.URL) -> str:
    """The command that asks the same again."""
    path = url.raw_path.decode()
    return f"kubectl get --raw '{path}'" if "/proxy/" in path else f"curl -sS '{url}'"


def series_of(data: Any, *, server: str, query: str) -> tuple[Series, ...]:
    """The vector, matrix or scalar of an answer; "NaN" and "+Inf" become floats.

    Raises EvidenceError for log streams, strings, native histograms and whatever has not the API's shape.
    """
    kind = data.get("resultType") if isinstance(data, dict) else None
    try:
        result = data["result"]
        match kind:
            case "vector":
                return tuple(Series(dict(item["metric"]), (_point(item["value"]),)) for item in result)
            case "matrix":
                return tuple(
                    Series(dict(item["metric"]), tuple(_point(value) for value in item["values"])) for item in result
                )
            case "scalar":
                return (Series({}, (_point(result),)),)
            case _:
                _unfit(server, query, f"a result of type {kind}")
    except (KeyError, TypeError, ValueError, IndexError) as error:
        _unfit(server, query, f"a {kind} without plain numbers ({type(error).__name__}: {error})")


def _point(pair: Any) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


def _unfit(server: str, query: str, seen: str) -> NoReturn:
    raise EvidenceError(
        f"{server}'s answer to {query} cannot be measured",
        seen=seen,
        expected="a vector, a matrix or a scalar of floats",
        next_command="correct the query in release/policy.toml",
    ) from None
