"""What audit reads from its environment, on top of what every service does."""

from __future__ import annotations

from pydantic import Field

from audit.chain import Anchor
from servicekit.settings import DatabaseSettings, EventSettings, ServiceSettings, TokenSettings


class AuditSettings(ServiceSettings, DatabaseSettings, EventSettings, TokenSettings):
    """The settings of audit."""

    service_name: str = "audit"
    anchor_seconds: float = Field(default=60.0, gt=0, description="time between two looks at the head, to log it")
    verify_seconds: float = Field(default=3600.0, gt=0, description="time between two checks of the whole chain")
    verify_anchor: Anchor | None = Field(default=None, description="for the command verify: an earlier anchor")
