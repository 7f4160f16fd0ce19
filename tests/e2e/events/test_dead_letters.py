"""What no consumer can use ends as a dead letter with its reason, and holds nothing up."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.e2e.audit import entries_of
from tests.e2e.effects import Effects
from tests.e2e.events.publishing import Message, Sidecar, created, event, message, task
from tests.e2e.support import EFFECT_WITHIN, PROVOKED, SKEW_SECONDS, Client, eventually

pytestmark = pytest.mark.anyio

DEAD_LETTER = "sluice.dead-letter.v1"


async def test_an_event_of_an_unknown_version_is_given_up_with_its_reason(
    sidecar: Sidecar, consumers: tuple[str, ...], effects: Effects, client: Callable[..., Client], user: str
) -> None:
    about = task(user)
    # A version that says that it was meant: the reason has it, and so has the line in each consumer's log.
    bad = event(f"sluice.task.created.v{PROVOKED}", about, {"actor": user, "before": None, "after": about})
    await sidecar.publish(message(bad), message(good := created(user, title="after it")))
    letters = await dead_letters(client("audit", "auditor"), bad["id"], len(consumers))
    assert {letter["consumer"] for letter in letters} == set(consumers)
    for letter in letters:
        assert "unknown version of sluice.task.created" in letter["reason"]
        assert json.loads(letter["event"]) == bad
        assert (letter["topic"], letter["attempts"]) == ("tasks", 1)
    await went_on(effects, good)


@pytest.mark.parametrize("kind", ["no JSON", "no event", "a task without its members"])
async def test_a_malformed_event_is_given_up_with_its_reason(
    sidecar: Sidecar,
    consumers: tuple[str, ...],
    effects: Effects,
    client: Callable[..., Client],
    user: str,
    kind: str,
) -> None:
    mark = uuid.uuid4().hex
    cut = created(user, title=mark)
    del cut["data"]["after"]["owner"], cut["data"]["after"]["version"]
    bodies = {"no JSON": f"{{{mark}", "no event": json.dumps({"mark": mark}), "a task without its members": ""}
    body = (bodies[kind] or json.dumps(cut)).encode()
    # Nothing of such an event is logged; the header comes with the delivery, and is the request's id in the log.
    bad = Message("tasks", user, body, {"X-Request-ID": f"{PROVOKED}-{mark}"})
    await sidecar.publish(bad, message(good := created(user, title="after it")))
    letters = await dead_letters(client("audit", "auditor"), mark, len(consumers))
    assert {letter["consumer"] for letter in letters} == set(consumers)
    for letter in letters:
        assert letter["reason"].startswith("not a valid event")
        assert letter["event"] == body.decode()
        if kind == "a task without its members":
            assert "data.after.owner" in letter["reason"]
            assert "data.after.version" in letter["reason"]
    await went_on(effects, good)


async def test_an_event_of_an_unknown_type_is_nobodys_business(
    sidecar: Sidecar, effects: Effects, client: Callable[..., Client], user: str
) -> None:
    other = event("sluice.weather.changed.v1", task(user), {"sun": True})
    await sidecar.publish(message(other), message(good := created(user, title="after it")))
    await went_on(effects, good)
    assert not await found_letters(client("audit", "auditor"), other["id"])


async def went_on(effects: Effects, good: dict[str, Any]) -> None:
    """Assert that the event after it, of the same key, has its effects: the first and the only one of its user."""

    async def there() -> None:
        assert await effects.changes() == [(1, good["type"], good["subject"])]
        assert (await effects.entries())[good["id"]] == 1

    await eventually(there, within=EFFECT_WITHIN)


async def dead_letters(auditor: Client, mark: str, count: int) -> list[dict[str, Any]]:
    """The dead letters of an event that has `mark` in it, once there are so many."""

    async def found() -> list[dict[str, Any]]:
        letters = await found_letters(auditor, mark)
        assert len(letters) == count, f"{len(letters)} dead letters of {mark} instead of {count}"
        return letters

    return await eventually(found, within=EFFECT_WITHIN)


async def found_letters(auditor: Client, mark: str) -> list[dict[str, Any]]:
    """What the auditor is shown of the dead letters of an event that has `mark` in it."""
    # Of the last minutes only: a kept cluster has those of earlier runs.
    since = (datetime.now(UTC) - timedelta(seconds=SKEW_SECONDS)).isoformat()
    entries = await entries_of(auditor, type=DEAD_LETTER, **{"from": since})
    return [entry["data"] for entry in entries if mark in entry["data"]["event"]]
