"""The metrics that dashboards, rules and the HPA rely on, and the lines in which an event's trace is found."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from servicekit.logs import configure_logging
from sync.settings import SyncSettings
from testkit.tokens import Keys

pytestmark = pytest.mark.anyio

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Log as the service does, at DEBUG, and return the lines so far."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logging("sync", "DEBUG", stream)
    for client in ("websockets.client", "httpx", "httpcore"):  # the tests' own side
        logging.getLogger(client).setLevel(logging.WARNING)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


async def test_every_series_is_there_from_the_start(replica: Any) -> None:
    found = await replica.samples()
    names = [
        "websocket_connections_active",
        "websocket_fanout_delay_seconds_count",
        "websocket_connection_lifetime_seconds_count",
        "sync_stale_events_total",
        "sync_changes_pruned_total",
    ]
    outcomes = "accepted unauthorized forbidden limited bad_request resume_refused draining failed"
    names += [f"websocket_connections_total{{outcome={one}}}" for one in outcomes.split()]
    codes = "1000 1001 1002 1005 1006 1007 1009 1011 1012 1013 4400 4401 4409 4429 other"
    names += [f"websocket_connections_closed_total{{code={one}}}" for one in codes.split()]
    names += [f"websocket_messages_sent_total{{type={one}}}" for one in ("hello", "change", "heartbeat")]
    assert "websocket_listener_connected" in found
    assert {name: found[name] for name in names} == dict.fromkeys(names, 0)
    labelled = {name for name in found if name.startswith("websocket_connections_")}
    assert labelled <= set(names), "no other labels"


async def test_connections_and_messages_are_counted(replica: Any) -> None:
    await replica.change("ann", 2)
    async with replica.connected("ann", after=0) as ann:
        await ann.changes(2)
        await replica.change("ann")
        await ann.changes(1)
        during = await replica.samples()
    await replica.until_sample("websocket_connections_active", lambda value: value == 0)
    after = await replica.samples()
    assert during["websocket_connections_active"] == 1
    assert during["websocket_messages_sent_total{type=hello}"] == 1
    assert during["websocket_messages_sent_total{type=change}"] == 3
    assert during["websocket_fanout_delay_seconds_count"] == 1, "what was missed is no delay of the fan-out"
    assert after["websocket_connections_total{outcome=accepted}"] == 1
    assert after["websocket_connections_closed_total{code=1000}"] == 1
    assert after["websocket_connection_lifetime_seconds_count"] == 1


async def test_an_event_is_found_by_its_trace_and_a_connection_by_its_own(replica: Any, lines: Any, keys: Keys) -> None:
    own = "a" * 32
    headers = {**keys.headers("ann"), "traceparent": f"00-{own}-00f067aa0ba902b7-01"}
    async with replica.connected("ann", additional_headers=headers) as ann, replica.connected("ann"):
        (event,) = await replica.change("ann")
        event |= {"id": "second", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        await replica.deliver(event)
        await ann.changes(2)
    await replica.until_sample("websocket_connections_active", lambda value: value == 0)
    of_event = [line for line in lines() if line["trace_id"] == TRACE]
    told = [(line["message"], line["user_id"]) for line in of_event if line["message"].startswith("event")]
    assert sorted(told) == [("event handled", "ann"), ("event pushed", "ann")]
    (pushed,) = [line for line in of_event if line["message"] == "event pushed"]
    assert (pushed["level"], pushed["connections"], pushed["sequence"], pushed["event_id"]) == ("INFO", 2, 2, "second")
    of_connection = [line for line in lines() if line["trace_id"] == own and line["level"] == "INFO"]
    assert [line["message"] for line in of_connection] == ["WebSocket connection opened", "WebSocket connection closed"]
    opened, closed = of_connection
    assert (opened["message"], opened["user_id"], opened["sequence"]) == ("WebSocket connection opened", "ann", 0)
    assert (closed["message"], closed["code"], closed["sent"]) == ("WebSocket connection closed", 1000, 2)
    assert closed["seconds"] > 0


async def test_no_line_shows_a_token_a_query_or_a_frame_even_at_debug(lines: Any, replica: Any, keys: Keys) -> None:
    headers = keys.headers("ann")
    async with replica.connected("ann", additional_headers=headers) as ann:
        await replica.change("ann", title="a title of the user's own")
        await ann.changes(1)
    await replica.refused("?secret=in-the-query")
    text = json.dumps(lines())
    assert "WebSocket connection closed" in text
    for secret in (headers["Authorization"].split()[1], "in-the-query", "of the user's own"):
        assert [line for line in lines() if secret in json.dumps(line)] == []


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"heartbeat_seconds": 0}, "heartbeat_seconds"),
        ({"queue_messages": 0}, "queue_messages"),
        ({"max_connections_per_user": 0}, "max_connections_per_user"),
        ({"drain_spread_seconds": 9, "shutdown_drain_seconds": 3}, "DRAIN_SPREAD_SECONDS is larger"),
    ],
)
def test_settings_out_of_bounds_are_refused(sqlite_settings: SyncSettings, values: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SyncSettings.model_validate({**sqlite_settings.model_dump(), **values})


def test_allowed_origins_come_with_commas(sqlite_settings: SyncSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", " https://App.example.org/, http://localhost:3000 ,")
    found = SyncSettings(**sqlite_settings.model_dump(exclude={"allowed_origins"}))
    assert found.allowed_origins == ("https://app.example.org", "http://localhost:3000")
