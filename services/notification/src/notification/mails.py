"""A message as an e-mail: a subject, and a text in plain words."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from notification.messages import Message, TaskPart

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_UNITS = (("day", 24 * 60), ("hour", 60), ("minute", 1))
_SAID = {
    "reminder.due": "Reminder",
    "task.created": "New task",
    "task.updated": "Task changed",
    "task.completed": "Task completed",
    "task.reopened": "Task reopened",
    "task.deleted": "Task deleted",
}
_LONGEST_SUBJECT = 150


def mail_of(message: Message, *, sender: str, recipient: str, message_id: str, now: datetime) -> EmailMessage:
    """Return the e-mail; `message_id` is without its angle brackets.

    The addresses have been checked (`settings.mail_address`). The title is the user's own text: it becomes one line
    before it becomes a header, and the policy refuses a line break in a header besides.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address("Sluice", addr_spec=sender)
    mail["To"] = Address(addr_spec=recipient)
    mail["Subject"] = f"{_SAID[message.type]}: {one_line(message.data.task.title)}"[:_LONGEST_SUBJECT]
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{message_id}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notices in answer to it
    # 7-bit, so that any server takes it.
    mail.set_content(_text(message), charset="utf-8", cte="quoted-printable")
    return mail


def one_line(text: str) -> str:
    """Return the text with every control character and line break as a space, and single spaces only."""
    spaced = (" " if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c for c in text)
    return " ".join("".join(spaced).split())


def instant_in_words(instant: datetime, timezone: str | None) -> str:
    """Return such as `Friday, 27 November 2026, 09:00 (Europe/Berlin)`; UTC where the zone is not known."""
    local, name = instant.astimezone(UTC), "UTC"
    if timezone:
        with suppress(ZoneInfoNotFoundError, ValueError):
            local, name = instant.astimezone(ZoneInfo(timezone)), timezone
    day = f"{_DAYS[local.weekday()]}, {local.day} {_MONTHS[local.month - 1]} {local.year}"
    return f"{day}, {local:%H:%M} ({name})"


def minutes_in_words(minutes: int) -> str:
    """Return such as `1 day, 2 hours and 5 minutes`; 0 has no words of its own and is `0 minutes`."""
    parts = []
    rest = minutes
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    *most, last = parts or ["0 minutes"]
    return f"{', '.join(most)} and {last}" if most else last


def _text(message: Message) -> str:
    task, reminder = message.data.task, message.data.reminder
    lines = [f"{_SAID[message.type]}: {one_line(task.title)}", "", _due(task)]
    if reminder is not None:
        before = reminder.minutes_before
        when = f"{minutes_in_words(before)} before it is due" if before else "when it is due"
        lines.append(f"You asked to be reminded {when}.")
    return "\n".join(lines) + "\n"


def _due(task: TaskPart) -> str:
    return f"Due: {instant_in_words(task.due_at, task.timezone)}" if task.due_at else "No due date."
