"""What audit reads from its environment, on top of what every service does."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import DatabaseSettings, EventSettings, ServiceSettings, TokenSettings


class AuditSettings(ServiceSettings, DatabaseSettings, EventSettings, TokenSettings):
    """The settings of audit; an anchor (the chain's head) is logged every ANCHOR_SECONDS where it has moved."""

    service_name: str = "audit"
    anchor_seconds: float = Field(default=60.0, gt=0)
