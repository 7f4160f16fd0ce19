"""Prometheus and Loki by their HTTP API, without one: numbers, pages, refusals."""

from collections.abc import Callable
from math import inf, isnan
from typing import Any

import httpx
import pytest

from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.errors import EvidenceError

pytestmark = pytest.mark.anyio

Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler, base: str = "http://server") -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=base, transport=httpx.MockTransport(handler))


def success(kind: str, result: Any) -> Handler:
    body = {"status": "success", "data": {"resultType": kind, "result": result}}
    return lambda _: httpx.Response(200, json=body)


async def test_the_texts_nan_and_inf_become_floats() -> None:
    values = ["NaN", "+Inf", "-Inf", "1.5e3"]
    result = [{"metric": {"n": str(n)}, "value": [1.25, text]} for n, text in enumerate(values)]
    series = await PrometheusMetrics(client(success("vector", result))).instant("up", at=1.25)
    numbers = [one.points[0][1] for one in series]
    assert isnan(numbers[0])
    assert numbers[1:] == [inf, -inf, 1500.0]
    assert (series[3].labels, series[3].points[0][0]) == ({"n": "3"}, 1.25)


async def test_a_range_a_scalar_and_an_empty_vector() -> None:
    matrix = [{"metric": {}, "values": [[1, "2"], [3, "4"]]}]
    series = await PrometheusMetrics(client(success("matrix", matrix))).range("up", start=1, end=3, step=2)
    assert series[0].points == ((1.0, 2.0), (3.0, 4.0))
    scalar = await PrometheusMetrics(client(success("scalar", [7, "8"]))).instant("8")
    assert scalar[0].points == ((7.0, 8.0),)
    assert await PrometheusMetrics(client(success("vector", []))).instant("absent") == ()


@pytest.mark.parametrize(
    ("response", "seen"),
    [
        (
            httpx.Response(400, json={"status": "error", "errorType": "bad_data", "error": "parse error"}),
            "400: bad_data: parse error",
        ),
        (httpx.Response(502, text="<html>bad gateway</html>"), "502: <html>bad gateway</html>"),
        (
            httpx.Response(
                200,
                json={
                    "status": "error",
                    "errorType": "execution",
                    "error": "too many series",
                    "data": {"resultType": "vector", "result": []},
                },
            ),
            "200: execution: too many series",
        ),
        (httpx.Response(200, text=""), "200: an empty body"),
        (httpx.Response(200, json=["success"]), '200: ["success"]'),
        (httpx.Response(200, text='{"status": "success", "da'), '200: {"status": "success", "da'),
    ],
    ids=[
        "an error of the API",
        "a page of a proxy",
        "half a result",
        "nothing",
        "another API",
        "a truncated body",
    ],
)
async def test_a_refusal_names_the_query_the_message_and_what_to_run(response: httpx.Response, seen: str) -> None:
    base = "http://api/api/v1/namespaces/monitoring/services/http:prometheus:9090/proxy"
    with pytest.raises(EvidenceError) as raised:
        await PrometheusMetrics(client(lambda _: response, base)).instant("rate(up)")
    assert "rate(up)" in raised.value.failed
    assert raised.value.seen == seen
    assert raised.value.next_command.startswith("kubectl get --raw '/api/v1/namespaces/monitoring/")


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("streams", []),
        ("string", [1, "x"]),
        ("vector", [{"metric": {}, "histogram": [1, {}]}]),
        ("vector", [{"metric": {}, "value": [1, "many"]}]),
        ("vector", None),
        ("matrix", []),
    ],
)
async def test_what_is_no_number_at_one_time_is_refused(kind: str, result: Any) -> None:
    with pytest.raises(EvidenceError, match="query-text"):
        await PrometheusMetrics(client(success(kind, result))).instant("query-text")


async def test_no_answer_is_an_evidence_error_with_the_query() -> None:
    def hang(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    with pytest.raises(EvidenceError) as raised:
        await LokiLogs(client(hang)).instant("rate({a=`b`}[1m])")
    assert raised.value.seen == "ReadTimeout"
    assert "rate({a=`b`}[1m])" in raised.value.failed


async def test_loki_refuses_in_plain_text() -> None:
    response = httpx.Response(400, text="parse error at line 1, col 2\n")
    with pytest.raises(EvidenceError) as raised:
        await LokiLogs(client(lambda _: response)).lines("{", start=0, end=1)
    assert raised.value.seen == "400: parse error at line 1, col 2"
    assert raised.value.next_command.startswith("curl -sS 'http://server/loki/api/v1/query_range?")


async def test_lines_of_several_streams_come_in_the_order_of_time() -> None:
    result = [
        {"stream": {"pod": "a"}, "values": [["3000000000", "third"], ["1000000000", "first"]]},
        {"stream": {"pod": "b"}, "values": [["2000000000", "second", {"structuredMetadata": {}}]]},
    ]
    lines = await LokiLogs(client(success("streams", result))).lines("{}", start=0, end=9)
    assert [(line.at, line.labels["pod"], line.text) for line in lines] == [
        (1.0, "a", "first"),
        (2.0, "b", "second"),
        (3.0, "a", "third"),
    ]


async def test_a_metric_query_gives_no_lines() -> None:
    with pytest.raises(EvidenceError, match="no log lines"):
        await LokiLogs(client(success("matrix", []))).lines("rate({}[1m])", start=0, end=9)


@pytest.mark.parametrize("limit", [1000, 7, 4])
async def test_more_lines_than_a_page_are_read_page_by_page_without_doubles(limit: int) -> None:
    kept = [(number // 2 * 1_000_000_000, f"line {number}") for number in range(9)]  # two lines at each second

    def page(request: httpx.Request) -> httpx.Response:
        since, size = int(request.url.params["start"]), int(request.url.params["limit"])
        assert size <= 3
        found = [[str(at), text] for at, text in kept if at >= since][:size]
        return success("streams", [{"stream": {}, "values": found}])(request)

    lines = await LokiLogs(client(page), page=3).lines("{}", start=0, end=99, limit=limit)
    assert [line.text for line in lines] == [text for _, text in kept][:limit]
