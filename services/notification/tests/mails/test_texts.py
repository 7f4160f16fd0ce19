"""The e-mail's words: title, due date and time before it, in plain English whatever the title holds."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notification.mails import instant_in_words, mail_of, minutes_in_words, one_line
from notification.messages import DELIVERABLE, Content, Message, ReminderPart, TaskPart

DUE = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)


def mail(kind: str = "reminder.due", minutes: int | None = 15, **task: Any) -> Any:
    """Return the mail of a message."""
    reminder = None
    if minutes is not None:
        remind_at = DUE - timedelta(minutes=minutes)
        reminder = ReminderPart(id=uuid.uuid4(), remind_at=remind_at, minutes_before=minutes)
    part = TaskPart.model_validate({"id": uuid.uuid4(), "title": "water the plants", "due_at": DUE} | task)
    data = Content(task=part, reminder=reminder)
    message = Message(version=1, type=kind, event_id="e", timestamp=DUE, data=data)
    return mail_of(message, sender="s@example.org", recipient="a@example.org", message_id="1@example.org", now=DUE)


def test_a_reminder_in_full() -> None:
    made = mail()
    assert made["From"] == "Sluice <s@example.org>"
    assert made["To"] == "a@example.org"
    assert made["Date"] == "Fri, 27 Nov 2026 08:00:00 +0000"
    assert made["Auto-Submitted"] == "auto-generated"
    assert made.get_content() == (
        "Reminder: water the plants\n"
        "\n"
        "Due: Friday, 27 November 2026, 08:00 (UTC)\n"
        "You asked to be reminded 15 minutes before it is due.\n"
    )


@pytest.mark.parametrize("kind", DELIVERABLE)
def test_every_event_has_words(kind: str) -> None:
    made = mail(kind, None, due_at=None)
    assert made["Subject"].endswith(": water the plants")
    assert made.get_content().endswith("No due date.\n")


def test_a_reminder_at_the_time_itself() -> None:
    assert "You asked to be reminded when it is due." in mail(minutes=0).get_content()


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        (None, "Friday, 27 November 2026, 08:00 (UTC)"),
        ("Europe/Berlin", "Friday, 27 November 2026, 09:00 (Europe/Berlin)"),
        ("Pacific/Kiritimati", "Friday, 27 November 2026, 22:00 (Pacific/Kiritimati)"),
        ("America/Los_Angeles", "Friday, 27 November 2026, 00:00 (America/Los_Angeles)"),
        ("Nowhere/Land", "Friday, 27 November 2026, 08:00 (UTC)"),
        ("../../etc/passwd", "Friday, 27 November 2026, 08:00 (UTC)"),
    ],
)
def test_the_due_date_in_the_tasks_own_zone(zone: str | None, words: str) -> None:
    assert instant_in_words(DUE, zone) == words


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "0 minutes"),
        (1, "1 minute"),
        (59, "59 minutes"),
        (60, "1 hour"),
        (61, "1 hour and 1 minute"),
        (1440, "1 day"),
        (1500, "1 day and 1 hour"),
        (10_205, "7 days, 2 hours and 5 minutes"),
    ],
)
def test_minutes_in_words(minutes: int, words: str) -> None:
    assert minutes_in_words(minutes) == words


@pytest.mark.parametrize(
    "title", ["a\nb", "a\r\nb", "a\rb", "a\x00b", "a\x0bb", "a\x85b", "a\u2028b", "a\u2029b", " a \t b "]
)
def test_a_title_is_one_line(title: str) -> None:
    assert one_line(title) == "a b"
    assert mail(title=title)["Subject"] == "Reminder: a b"


def test_any_script_arrives_as_it_was_and_in_seven_bits() -> None:
    title = "Blumen gießen \U0001f331 水やり " + "ä" * 200
    made = mail(title=title)
    content = made.as_bytes()
    assert content.isascii()
    assert max(len(line) for line in content.split(b"\r\n")) < 998
    assert one_line(title) in made.get_content()
    assert len(made["Subject"]) == 150
