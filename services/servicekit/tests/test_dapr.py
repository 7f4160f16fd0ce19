"""What goes to the sidecar, and what its answers mean; what it delivers raw is unwrapped."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from servicekit.dapr import DaprPublisher, PublishError, payload_of
from servicekit.settings import EventSettings, SettingsError, load_settings

pytestmark = pytest.mark.anyio

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def settings(tmp_path: Path) -> EventSettings:
    """Where the sidecar is."""
    token = tmp_path / "token"
    token.write_text("the-token\n")
    return EventSettings(dapr_app_token_file=token, dapr_http_port=3999, pubsub_name="events")


async def publish(settings: EventSettings, answer: Answer) -> None:
    """Publish one event to a sidecar that answers so."""
    publisher = DaprPublisher(settings, httpx.MockTransport(answer))
    try:
        await publisher.publish("tasks", "ann", '{"id":"ü"}')
    finally:
        await publisher.close()


async def test_an_event_is_handed_over_byte_for_byte(settings: EventSettings) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    await publish(settings, answer)
    (request,) = seen
    assert (request.method, request.url.host, request.url.port) == ("POST", "127.0.0.1", 3999)
    assert request.url.path == "/v1.0/publish/events/tasks"
    assert dict(request.url.params) == {"metadata.rawPayload": "true", "metadata.partitionKey": "ann"}
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert request.content == '{"id":"ü"}'.encode()


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
async def test_a_refusal_says_what_the_sidecar_said(settings: EventSettings, status: int) -> None:
    with pytest.raises(PublishError, match=f"answered {status}: kafka: broker away"):
        await publish(settings, lambda _: httpx.Response(status, text="kafka: broker away" + "x" * 10_000))


async def test_a_refusal_is_short(settings: EventSettings) -> None:
    with pytest.raises(PublishError) as caught:
        await publish(settings, lambda _: httpx.Response(500, text="x" * 10_000))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
async def test_a_sidecar_that_is_away_is_a_refusal_too(settings: EventSettings, error: type[httpx.HTTPError]) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        raise error("no")

    with pytest.raises(PublishError, match=f"does not answer: {error.__name__}"):
        await publish(settings, answer)


def test_what_was_published_comes_out_of_the_envelope() -> None:
    for published in (b'{"id": "a"}', b"no event", b"", b"\xff\x00"):
        envelope = {"id": "random", "type": "com.dapr.event.sent", "data_base64": base64.b64encode(published).decode()}
        assert payload_of(json.dumps(envelope).encode()) == published


@pytest.mark.parametrize(
    "delivery",
    [b"", b"{", b"[]", b"null", b"{}", b'{"data_base64": 7}', b'{"data_base64": "%"}', b'{"id": "a"}', b"[" * 100_000],
)
def test_what_is_no_envelope_stays_as_it_is(delivery: bytes) -> None:
    assert payload_of(delivery) == delivery


def test_the_token_is_read_anew(settings: EventSettings) -> None:
    assert settings.dapr_app_token() == "the-token"
    settings.dapr_app_token_file.write_text("another")
    assert settings.dapr_app_token() == "another"
    assert "the-token" not in repr(settings)


@pytest.mark.parametrize("content", ["", "\n", None])
def test_a_service_does_not_start_without_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("DAPR_APP_TOKEN_FILE", str(path))
    monkeypatch.setenv("DAPR_HTTP_PORT", "0")
    monkeypatch.setenv("PUBSUB_NAME", "../other")
    with pytest.raises(SettingsError) as caught:
        load_settings(EventSettings)
    for name in ("DAPR_APP_TOKEN_FILE", "DAPR_HTTP_PORT", "PUBSUB_NAME"):
        assert f"{name}: " in str(caught.value)
