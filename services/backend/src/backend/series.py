"""The rules that bind a task's due date, recurrence, time zone and reminders, and what makes a series.

A new rule or zone begins a new series at the task's due date. Another due date of a series' first task moves the
whole series; of a later one, that task alone: the next comes where the series would have had it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import anyio

from backend.models import Task
from servicekit.events import TaskSnapshot
from servicekit.problems import Problem
from servicekit.recurrence import RecurrenceError, check_series

_MEMBERS = {"rule": "recurrence", "zone": "timezone", "start": "due_at"}


async def settle(task: Task, given: Mapping[str, Any], before: TaskSnapshot | None = None) -> None:
    """Check a task after the `given` members were set, and put it into its series; or answer 422.

    `before` is what the task was, None for a new one.
    """
    _check_members(task, given)
    if task.recurrence is None:
        task.timezone = task.series_id = task.series_start = None
        task.occurrence = 1
        return
    assert task.timezone is not None
    assert task.due_at is not None
    if before is None or (task.recurrence, task.timezone) != (before.recurrence, before.timezone):
        task.series_id, task.occurrence = uuid.uuid4(), 1
    elif task.occurrence > 1 or task.due_at == before.due_at:
        return
    task.series_start = task.due_at
    try:
        # In a thread: a rule that never comes takes a while to be told from one that comes late.
        await anyio.to_thread.run_sync(check_series, task.recurrence, task.timezone, task.series_start)
    except RecurrenceError as error:
        raise _refused(_MEMBERS[error.part], str(error)) from None


def _check_members(task: Task, given: Mapping[str, Any]) -> None:
    if task.recurrence is None and given.get("timezone") is not None:
        raise _refused("timezone", "is allowed only with a recurrence")
    if task.recurrence is not None and task.timezone is None:
        raise _refused("timezone", "is required with a recurrence")
    for member, needs_due_date in (("recurrence", task.recurrence is not None), ("reminders", bool(task.reminders))):
        if needs_due_date and task.due_at is None:
            raise _refused("due_at", f"is required with {member}")


def _refused(member: str, detail: str) -> Problem:
    """Return the answer to a member that the others do not allow, in the shape of all validation errors."""
    error = {"in": "body", "pointer": f"#/{member}", "code": "value_error", "detail": detail}
    told = "The request holds values that are not acceptable; see errors."
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, told, kind="validation-failed", errors=[error])
