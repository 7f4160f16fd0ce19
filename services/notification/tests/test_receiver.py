"""The suites' receiver: only where faults are asked for, scripted, bounded, and usable as a real webhook."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database", ["sqlite"], indirect=True)]

BOX = "/faults/receiver/box"


async def test_it_is_not_there_unless_asked_for(start: Any) -> None:
    system = start()
    for method in ("POST", "GET", "PUT"):
        assert (await system.client.request(method, BOX, headers=system.user("ann"))).status_code == 404


async def test_it_answers_as_scripted_and_keeps_what_it_got(start: Any) -> None:
    system = start(faults_enabled=True)
    ann = system.user("ann")
    assert (await system.client.get(BOX, headers=ann)).json() == {"items": []}
    put = await system.client.put(BOX, json={"statuses": [500, 410]}, headers=ann)
    assert put.status_code == 204
    sent = {"webhook-id": "1", "authorization": "Bearer hidden", "x-other": "hidden"}
    answers = [(await system.client.post(BOX, content=f"{n}", headers=sent)).status_code for n in range(3)]
    assert answers == [500, 410, 200]
    got = (await system.client.get(BOX, headers=ann)).json()["items"]
    assert [(item["status"], item["body"], item["headers"]["webhook-id"]) for item in got] == [
        (500, "0", "1"),
        (410, "1", "1"),
        (200, "2", "1"),
    ]
    assert "hidden" not in str(got)
    assert (await system.client.get("/faults/receiver/other", headers=ann)).json() == {"items": []}


async def test_only_users_read_and_script_it(start: Any) -> None:
    system = start(faults_enabled=True)
    assert (await system.client.get(BOX)).status_code == 401
    assert (await system.client.put(BOX, json={"statuses": [500]})).status_code == 401
    assert (await system.client.put(BOX, json={"statuses": [100]}, headers=system.user("ann"))).status_code == 422
    assert (await system.client.post("/faults/receiver/a b")).status_code == 422


async def test_it_is_bounded(start: Any) -> None:
    system = start(faults_enabled=True)
    ann = system.user("ann")
    for number in range(60):
        await system.client.post(BOX, content=f"{number}")
    kept = (await system.client.get(BOX, headers=ann)).json()["items"]
    assert [item["body"] for item in kept] == [f"{number}" for number in range(10, 60)]
    for number in range(100):
        await system.client.post(f"/faults/receiver/box-{number}")
    assert (await system.client.get(BOX, headers=ann)).json() == {"items": []}, "the oldest box went"
