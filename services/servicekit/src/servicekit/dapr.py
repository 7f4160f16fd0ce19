"""Publishing through the Dapr sidecar's HTTP API, and reading what it delivers.

https://docs.dapr.io/reference/api/pubsub_api/; both ways raw, as in
https://docs.dapr.io/developing-applications/building-blocks/pubsub/pubsub-raw/.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Protocol

import httpx

from servicekit.settings import EventSettings

_TIMEOUT = httpx.Timeout(10.0, connect=2.0)


class PublishError(Exception):
    """Raised when the broker did not take an event; says what the sidecar answered. Try again later."""


class Publisher(Protocol):
    """Knows how to hand one event to the broker."""

    async def publish(self, topic: str, key: str, event: str) -> None:
        """Return once the broker has the event (JSON of a CloudEvent). Raises PublishError."""
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...


class DaprPublisher:
    """The sidecar of this pod."""

    def __init__(self, settings: EventSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{settings.dapr_http_port}/v1.0/publish/{settings.pubsub_name}",
            timeout=_TIMEOUT,
            transport=transport,
            trust_env=False,
            verify=False,  # plain HTTP on the loopback address: reading certificates would only delay the start
        )

    async def publish(self, topic: str, key: str, event: str) -> None:
        """Publish a structured CloudEvent; events of one key stay in order. Raises PublishError."""
        try:
            response = await self._client.post(
                f"/{topic}",
                # Raw: the event travels byte for byte. Where Dapr itself reads events, one that is none never reaches
                # its reader and stops the partition, and a traceparent is replaced.
                params={"metadata.rawPayload": "true", "metadata.partitionKey": key},
                content=event.encode(),
                headers={"Content-Type": "application/cloudevents+json"},
            )
        except httpx.HTTPError as error:
            raise PublishError(f"the sidecar does not answer: {type(error).__name__}") from error
        if not response.is_success:
            raise PublishError(f"the sidecar answered {response.status_code}: {response.text[:300]}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def payload_of(delivery: bytes) -> bytes:
    """Return what was published out of a raw delivery, which carries it as `data_base64` of an envelope of Dapr's.

    What is no such envelope is returned as it is.
    """
    try:
        envelope = json.loads(delivery)
        return base64.b64decode(envelope["data_base64"], validate=True)
    except (ValueError, TypeError, KeyError, binascii.Error, RecursionError):
        return delivery
