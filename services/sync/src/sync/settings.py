"""What sync reads from its environment, on top of what every service does."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from servicekit.settings import DatabaseSettings, EventSettings, ServiceSettings, TokenSettings


class SyncSettings(ServiceSettings, DatabaseSettings, EventSettings, TokenSettings):
    """The settings of sync. Limits hold for one replica; a connection's queue is what waits for a slow client.

    `allowed_origins`: pages of other origins that may connect, such as `https://app.example.org`, with commas.
    """

    service_name: str = "sync"
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    heartbeat_seconds: float = Field(default=25.0, gt=0, le=3600)
    write_timeout_seconds: float = Field(default=10.0, gt=0, le=300)
    queue_messages: int = Field(default=256, ge=1)
    queue_bytes: int = Field(default=512 * 1024, ge=1)
    max_connections: int = Field(default=4_000, ge=1)
    max_connections_per_user: int = Field(default=20, ge=1)
    drain_spread_seconds: float = Field(default=2.0, ge=0)
    changes_kept_days: float = Field(default=7.0, gt=0)
    changes_kept_per_owner: int = Field(default=10_000, ge=1)

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(origin.strip().rstrip("/").lower() for origin in value.split(",") if origin.strip())

    @model_validator(mode="after")
    def _spread_fits(self) -> Self:
        if self.drain_spread_seconds > self.shutdown_drain_seconds:
            raise ValueError("DRAIN_SPREAD_SECONDS is larger than SHUTDOWN_DRAIN_SECONDS; it has to end within it")
        return self
