"""Events made by the suite itself, and given to the broker as a service gives them: through a pod's sidecar."""

import base64
import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from tests.e2e.kube import Kube

PUBSUB = "pubsub"
# The sidecar listens on the pod's own loopback address only, so the command runs in the service's container.
_PUBLISH = """
import base64, json, sys, urllib.request
for path, body in json.loads(sys.argv[1]):
    headers = {"Content-Type": "application/cloudevents+json"}
    request = urllib.request.Request("http://127.0.0.1:3500" + path, base64.b64decode(body), headers)
    urllib.request.urlopen(request, timeout=20).read()
"""


@dataclass(frozen=True)
class Message:
    """What goes to a topic. `headers` come back as HTTP headers with the delivery."""

    topic: str
    key: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Sidecar:
    """Publishes through the sidecar of a service's pod."""

    kube: Kube
    service: str

    async def publish(self, *messages: Message) -> None:
        """Publish in this order; returns when the broker has all of them."""
        told = []
        for message in messages:
            metadata = {"rawPayload": "true", "partitionKey": message.key, **message.headers}
            query = urlencode({f"metadata.{name}": value for name, value in metadata.items()})
            path = f"/v1.0/publish/{PUBSUB}/{message.topic}?{query}"
            told.append((path, base64.b64encode(message.body).decode()))
        command = ["python3", "-c", _PUBLISH, json.dumps(told)]
        ran = await self.kube.run(await self.kube.one_pod(self.service), self.service, command)
        assert ran.status == 0, f"publishing ended with {ran.status}: {ran.stderr[-500:]}"


def message(event: Mapping[str, Any], topic: str = "tasks", **headers: str) -> Message:
    """An event as it is published."""
    return Message(topic, str(event["partitionkey"]), json.dumps(event).encode(), headers)


def envelope(event: Mapping[str, Any]) -> bytes:
    """An event as the sidecar delivers it; its own id is a new one each time."""
    inner = base64.b64encode(json.dumps(event).encode()).decode()
    outer = {
        "id": str(uuid.uuid4()),
        "specversion": "1.0",
        "source": "Dapr",
        "type": "com.dapr.event.sent",
        "datacontenttype": "application/octet-stream",
        "topic": "tasks",
        "pubsubname": PUBSUB,
        "data_base64": inner,
    }
    return json.dumps(outer).encode()


def task(owner: str, **members: object) -> dict[str, Any]:
    """A task's snapshot as events carry it."""
    now = datetime.now(UTC).isoformat()
    return {
        "id": str(uuid.uuid4()),
        "owner": owner,
        "title": "made by the suite",
        "description": "",
        "due_at": None,
        "priority": "normal",
        "tags": [],
        "completed_at": None,
        "recurrence": None,
        "timezone": None,
        "reminders": [],
        "series_id": None,
        "series_start": None,
        "occurrence": 1,
        "created_at": now,
        "updated_at": now,
        "version": 1,
        **members,
    }


def created(owner: str, **members: object) -> dict[str, Any]:
    """The event of a task's creation."""
    after = task(owner, **members)
    return event("sluice.task.created.v1", after, {"actor": owner, "before": None, "after": after})


def completed(owner: str, due_at: str, **members: object) -> dict[str, Any]:
    """The event of the completion of a task that comes back daily, each time of another series."""
    series: dict[str, Any] = {
        "recurrence": "FREQ=DAILY",
        "timezone": "UTC",
        "due_at": due_at,
        "series_start": due_at,
        "series_id": str(uuid.uuid4()),
        "version": 2,
        **members,
    }
    before = task(owner, **series)
    after = {**before, "completed_at": before["updated_at"], "version": before["version"] + 1}
    return event("sluice.task.completed.v1", after, {"actor": owner, "before": before, "after": after})


def event(kind: str, about: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """A CloudEvent of a trace of its own."""
    name, _, version = kind.removeprefix("sluice.").rpartition(".v")
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/services/backend",
        "type": kind,
        "subject": about["id"],
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "dataschema": f"urn:sluice:schema:{name}:v{version}",
        "partitionkey": about["owner"],
        "traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
        "data": dict(data),
    }
