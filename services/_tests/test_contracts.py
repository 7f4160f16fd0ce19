"""Publishers and consumers of every service against the published schemas; services are found, none is named.

What a service publishes is held to the schemas in all tests of all services (`testkit.contracts`), here as well. What
it consumes is tried here with examples made of the schemas alone: it has to take each of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from servicekit.app import Service
from servicekit.events import ALL_EVENTS, DEAD_LETTER, TOPICS, new_event
from testkit.contracts import schemas
from testkit.events import APP_TOKEN, KeptPublisher, deliver
from testkit.example import samples
from testkit.examples import examples
from testkit.services import FOLDERS, find
from testkit.settings import files_of_secrets, migrated
from testkit.tokens import Keys

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def values_of(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> dict[str, dict[str, object]]:
    """The values of each service's settings, with a database that is migrated and empty."""
    values = {}
    for name in FOLDERS:
        found, folder = find(name), tmp_path_factory.mktemp("service")
        values[name] = files_of_secrets(folder, keys) | {"database_url": f"sqlite+aiosqlite:///{folder}/empty.db"}
        migrated(found.settings, values[name], service=found.name, scripts=found.migrations)
    return values


@dataclass(frozen=True)
class Running:
    """A service in this process."""

    client: httpx.AsyncClient
    service: Service
    publisher: KeptPublisher


@pytest.fixture
def built(values_of: dict[str, dict[str, object]], tmp_path: Path) -> Callable[[str], Running]:
    """Build a service on an empty database of its own."""

    def make(folder: str) -> Running:
        found = find(folder)
        values = values_of[folder]
        origin = str(values["database_url"]).split("///")[1]
        copied = shutil.copy(origin, tmp_path / f"{found.module}.db")
        publisher = KeptPublisher()
        settings = found.settings.model_validate(values | {"database_url": f"sqlite+aiosqlite:///{copied}"})
        service = found.build(settings, publisher)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(service.app), base_url=f"http://{found.name}", trust_env=False
        )
        return Running(client, service, publisher)

    return make


def test_there_are_services() -> None:
    assert FOLDERS, "a folder with a service.toml is a service"


@pytest.mark.parametrize("folder", FOLDERS)
async def test_it_subscribes_to_known_topics(built: Callable[[str], Running], folder: str) -> None:
    async with built(folder).client as client:
        response = await client.get("/dapr/subscribe")
    if response.status_code == 404:
        pytest.skip("it has no events")
    assert {entry["topic"] for entry in response.json()} <= set(TOPICS)
    for entry in response.json():
        assert entry["route"] == f"/events/{entry['topic']}"
        assert entry["metadata"] == {"rawPayload": "true"}


@pytest.mark.parametrize("kind", ALL_EVENTS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("folder", FOLDERS)
async def test_it_takes_whatever_the_schema_allows(built: Callable[[str], Running], folder: str, kind: Any) -> None:
    running = built(folder)
    async with running.service.app.router.lifespan_context(running.service.app), running.client as client:
        subscribed = await client.get("/dapr/subscribe")
        topics = {entry["topic"] for entry in subscribed.json()} if subscribed.status_code == 200 else set()
        if kind.topic not in topics:
            pytest.skip(f"it does not consume {kind.topic}")
        for name, example in examples(schemas()[kind.type]).items():
            data = kind.model.model_validate(example)
            event = new_event(kind, data, source="somebody", subject="6f9619ff-8b86-4d01-b42d-00cf4fc964ff", key="ann")
            # Not the model's own JSON: that would leave out what a newer writer adds.
            sent = event.model_dump(mode="json", by_alias=True) | {"data": example}
            assert await deliver(client, kind.topic, sent) == "SUCCESS", f"{name}: {example}"
            assert await deliver(client, kind.topic, sent) == "SUCCESS", f"{name}, again"
        found = await samples(client)
    dead = {name: value for name, value in found.items() if "events_consumed_total" in name and "outcome=dead" in name}
    assert set(dead.values()) == {0}, [event["data"]["reason"] for event in running.publisher.of(DEAD_LETTER)]


@pytest.mark.parametrize("folder", FOLDERS)
async def test_what_it_cannot_read_blocks_nothing(built: Callable[[str], Running], folder: str) -> None:
    running = built(folder)
    async with running.client as client:
        subscribed = await client.get("/dapr/subscribe")
        if subscribed.status_code == 404:
            pytest.skip("it has no events")
        for entry in subscribed.json():
            for body in (b"{", b"\xff", b'{"type": "sluice.task.created.v99"}', b'{"type": "com.example.other.v1"}'):
                assert await deliver(client, entry["topic"], body) == "SUCCESS"
            response = await client.post(entry["route"], content=b"{}", headers={"dapr-api-token": APP_TOKEN + "x"})
            assert response.status_code == 401


@pytest.mark.parametrize("folder", FOLDERS)
async def test_its_own_api_needs_a_token(built: Callable[[str], Running], folder: str) -> None:
    running = built(folder)
    async with running.client as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        for path, methods in paths.items():
            for method in methods:
                response = await client.request(method.upper(), path.replace("{", "").replace("}", ""))
                assert response.status_code == 401, f"{method.upper()} {path} answers {response.status_code}"
                assert response.headers["content-type"] == "application/problem+json"
