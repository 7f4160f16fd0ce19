"""What recurring-task reads from its environment, on top of what every service does."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import DatabaseSettings, EventSettings, ServiceSettings, TokenSettings


class RecurringTaskSettings(ServiceSettings, DatabaseSettings, TokenSettings, EventSettings):
    """The settings; both of its own are in seconds."""

    service_name: str = "recurring-task"
    reminder_overdue_seconds: float = Field(
        default=86_400.0, ge=0, description="a reminder is dropped when its task has been due for longer"
    )
    scheduler_pause_seconds: float = Field(
        default=5.0, gt=0, le=60, description="the longest time between two looks for due reminders"
    )
