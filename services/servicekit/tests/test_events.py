"""Events: every model survives the way there and back, and readers take what a newer writer adds."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from servicekit.context import trace_id_of, working_on
from servicekit.events import (
    ALL_EVENTS,
    TASK_CREATED,
    TASK_DELETED,
    TOPICS,
    EventError,
    EventType,
    TaskChanged,
    UnknownType,
    new_event,
    parse_event,
)
from testkit.contracts import schemas, violations
from testkit.events import changed, snapshot
from testkit.examples import examples

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CASES = [(kind, name) for kind in ALL_EVENTS for name in examples(schemas()[kind.type])]


def ids(case: object) -> str:
    """Name a case by the event's type."""
    return case.name if isinstance(case, EventType) else str(case)


@pytest.mark.parametrize(("kind", "name"), CASES, ids=ids)
def test_every_example_goes_there_and_back(kind: EventType[Any], name: str) -> None:
    data = kind.model.model_validate(examples(schemas()[kind.type])[name])
    event = new_event(kind, data, source="backend", subject="a task", key="ann")
    read = parse_event(event.to_json())
    assert read.to_json() == event.to_json()
    assert read.data_as_written() == event.data_as_written() == json.loads(event.to_json())["data"]
    assert parse_event(event.to_json().encode()).data == data
    assert violations(kind.topic, "ann", json.loads(event.to_json())) == []


@pytest.mark.parametrize("kind", ALL_EVENTS, ids=ids)
def test_the_envelope_is_a_cloud_event(kind: EventType[Any]) -> None:
    data = kind.model.model_validate(examples(schemas()[kind.type])["full"])
    before = datetime.now(UTC)
    with working_on(f"00-{TRACE}-00f067aa0ba902b7-01"):
        event = json.loads(new_event(kind, data, source="sync", subject="a task", key="ann").to_json())
    assert set(event) == {
        "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "partitionkey",
        "traceparent", "data",
    }  # fmt: skip
    assert (event["specversion"], event["datacontenttype"]) == ("1.0", "application/json")
    assert (event["source"], event["type"]) == ("/services/sync", f"sluice.{kind.name}.v1")
    assert event["dataschema"] == f"urn:sluice:schema:sluice.{kind.name}.v1"
    assert (event["subject"], event["partitionkey"]) == ("a task", "ann")
    assert uuid.UUID(event["id"])
    assert before <= datetime.fromisoformat(event["time"]) <= datetime.now(UTC)
    assert trace_id_of(event["traceparent"]) == TRACE


def test_the_names_are_as_agreed() -> None:
    assert [kind.type for kind in ALL_EVENTS] == [
        "sluice.task.created.v1",
        "sluice.task.updated.v1",
        "sluice.task.completed.v1",
        "sluice.task.reopened.v1",
        "sluice.task.deleted.v1",
        "sluice.occurrence.due.v1",
        "sluice.reminder.due.v1",
        "sluice.dead-letter.v1",
    ]
    assert TOPICS == ("tasks", "occurrences", "reminders", "dead-letters")


def test_each_event_has_an_id_and_a_span_of_its_own() -> None:
    data = TaskChanged(actor="ann", after=snapshot())
    first, second = (new_event(TASK_CREATED, data, source="s", subject="t", key="ann") for _ in range(2))
    assert first.id != second.id
    assert first.traceparent != second.traceparent


def test_members_of_a_newer_writer_are_passed_over() -> None:
    event = changed(TASK_CREATED, snapshot(title="kept"))
    event["data"]["after"]["colour"] = "red"
    event["data"]["reason"] = "none"
    event["extension"] = "x"
    read = parse_event(json.dumps(event))
    assert read.data.task.title == "kept"
    assert read.data_as_written() == event["data"], "for a reader that keeps what it does not know"


def test_a_deleted_task_is_what_it_was_last() -> None:
    task = snapshot(title="gone")
    read = parse_event(json.dumps(changed(TASK_DELETED, task)))
    assert (read.data.before, read.data.after, read.data.task) == (task, None, task)


@pytest.mark.parametrize("given", ["sluice.task.created.v2", "sluice.task.created.v", "sluice.reminder.due.v1.1"])
def test_a_version_that_nobody_knows_is_an_error(given: str) -> None:
    event = changed(TASK_CREATED, snapshot()) | {"type": given}
    with pytest.raises(EventError) as caught:
        parse_event(json.dumps(event))
    if given != "sluice.reminder.due.v1.1":
        assert not isinstance(caught.value, UnknownType)
        assert "known: 1" in str(caught.value)


@pytest.mark.parametrize("given", ["sluice.task.moved.v1", "com.example.order.v1", "", "task.created.v1"])
def test_a_type_that_nobody_knows_is_told_apart(given: str) -> None:
    with pytest.raises(UnknownType):
        parse_event(json.dumps(changed(TASK_CREATED, snapshot()) | {"type": given}))


def test_all_that_is_wrong_is_told_without_a_value() -> None:
    event = changed(TASK_CREATED, snapshot(title="a secret"))
    event["data"]["after"] |= {"version": 0, "priority": "secret", "due_at": "2030-01-01T00:00:00", "title": None}
    with pytest.raises(EventError) as caught:
        parse_event(json.dumps(event))
    told = str(caught.value)
    for member in ("version", "priority", "due_at", "title"):
        assert f"data.after.{member}: " in told
    assert "secret" not in told
