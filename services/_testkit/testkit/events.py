"""Tasks, events of them, deliveries as the sidecar makes them, and a publisher that keeps what it was given."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from servicekit.dapr import PublishError
from servicekit.events import EventData, EventType, TaskChanged, TaskSnapshot, new_event
from servicekit.subscriptions import TOKEN_HEADER
from testkit import contracts

APP_TOKEN = "the-sidecar"


class KeptPublisher:
    """Stands for the sidecar: keeps what is published, or refuses while `broken`.

    All that it is given is held to the published schemas; `services/conftest.py` fails the test that breaks one.
    """

    def __init__(self) -> None:
        self.published: list[tuple[str, str, dict[str, Any]]] = []
        self.broken = False

    async def publish(self, topic: str, key: str, event: str) -> None:
        """Keep the event, parsed."""
        if self.broken:
            raise PublishError("the test's broker is away")
        parsed = json.loads(event)
        contracts.VIOLATIONS.extend(contracts.violations(topic, key, parsed))
        self.published.append((topic, key, parsed))

    async def close(self) -> None:
        """Nothing to close."""

    def of(self, kind: EventType[Any]) -> list[dict[str, Any]]:
        """Return the published events of a type, as JSON."""
        return [event for _, _, event in self.published if event["type"] == kind.type]


def snapshot(owner: str = "ann", **values: object) -> TaskSnapshot:
    """Return a task, with the given values in place of the usual ones."""
    now = datetime.now(UTC)
    usual: dict[str, object] = {
        "id": uuid.uuid4(),
        "owner": owner,
        "title": "a task",
        "description": "",
        "priority": "normal",
        "created_at": now,
        "updated_at": now,
        "version": 1,
    }
    return TaskSnapshot.model_validate(usual | values)


def changed(kind: EventType[TaskChanged], task: TaskSnapshot, before: TaskSnapshot | None = None) -> dict[str, Any]:
    """Return the event of a task's change as JSON; a deletion's task is what was there before."""
    deleted = kind.name == "task.deleted"
    data = TaskChanged(actor=task.owner, before=task if deleted else before, after=None if deleted else task)
    return as_json(kind, data, subject=str(task.id), key=task.owner)


def as_json(
    kind: EventType[Any], data: EventData, *, subject: str, key: str, source: str = "backend"
) -> dict[str, Any]:
    """Return a new event as JSON."""
    loaded: dict[str, Any] = json.loads(new_event(kind, data, source=source, subject=subject, key=key).to_json())
    return loaded


async def deliver(
    client: httpx.AsyncClient, topic: str, event: Mapping[str, Any] | bytes, *, token: str = APP_TOKEN
) -> str:
    """Deliver an event as the sidecar does and return the answer's status, such as SUCCESS."""
    value = event if isinstance(event, bytes) else json.dumps(event).encode()
    # The sidecar's own envelope, whose id is another one at each delivery.
    envelope = {
        "id": str(uuid.uuid4()),
        "specversion": "1.0",
        "source": "Dapr",
        "type": "com.dapr.event.sent",
        "datacontenttype": "application/octet-stream",
        "topic": topic,
        "pubsubname": "pubsub",
        "data_base64": base64.b64encode(value).decode(),
    }
    headers = {"Content-Type": "application/cloudevents+json", TOKEN_HEADER: token}
    response = await client.post(f"/events/{topic}", content=json.dumps(envelope).encode(), headers=headers)
    assert response.status_code == 200, f"{response.status_code}: {response.text}"
    return str(response.json()["status"])
