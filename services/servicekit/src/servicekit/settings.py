"""Settings come from the environment; secrets come from files named by the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
TlsMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]

_URL_PASSWORD = re.compile(r"^[^:/]+://[^/@]*:[^/@]+@")


class SettingsError(Exception):
    """Raised when the environment holds bad settings; its text names every mistake, but never a value."""


class ServiceSettings(BaseSettings):
    """What every service reads from its environment."""

    # hide_input_in_errors: a value that was put into the wrong variable may be a secret.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    service_name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    log_level: LogLevel = "INFO"
    http_host: str = "0.0.0.0"
    http_port: int = Field(default=8000, ge=1, le=65535)
    max_body_bytes: int = Field(default=256 * 1024, ge=1)
    readiness_timeout_seconds: float = Field(default=2.0, gt=0, le=30)
    shutdown_drain_seconds: float = Field(default=3.0, ge=0, le=60)
    shutdown_timeout_seconds: int = Field(default=20, ge=1, le=600)


class DatabaseSettings(BaseSettings):
    """Where the database is; mixed into the settings of a service that has one."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_host: str = ""
    database_port: int = Field(default=5432, ge=1, le=65535)
    database_name: str = ""
    database_user: str = ""
    database_password_file: Path | None = None
    database_sslmode: TlsMode = "prefer"
    database_ssl_root_file: Path | None = None
    database_pool_size: int = Field(default=5, ge=1, le=100)
    database_pool_overflow: int = Field(default=5, ge=0, le=100)
    database_statement_timeout_seconds: float = Field(default=15.0, gt=0)
    database_url: str = ""
    migration_timeout_seconds: float = Field(default=60.0, gt=0)

    @field_validator("database_password_file", "database_ssl_root_file")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None:
            try:
                path.read_bytes()
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise ValueError(f"the file cannot be read: {reason}") from error
        return path

    @field_validator("database_url")
    @classmethod
    def _without_password(cls, url: str) -> str:
        if _URL_PASSWORD.match(url):
            raise ValueError("holds a password; leave it out and name a file in DATABASE_PASSWORD_FILE")
        return url

    @model_validator(mode="after")
    def _address_given(self) -> Self:
        pieces = {
            "DATABASE_HOST": self.database_host,
            "DATABASE_NAME": self.database_name,
            "DATABASE_USER": self.database_user,
        }
        missing = [name for name, value in pieces.items() if not value]
        if missing and not self.database_url:
            raise ValueError(f"{', '.join(missing)} not set (or set DATABASE_URL, without a password)")
        return self

    def database_password(self) -> str:
        """Read the password anew, so that a rotated secret serves the next connection without a restart."""
        if self.database_password_file is None:
            return ""
        return self.database_password_file.read_text(encoding="utf-8").rstrip("\r\n")


Settings = TypeVar("Settings", bound=BaseSettings)


def load_settings(kind: type[Settings]) -> Settings:
    """Read `kind` from the environment, or raise SettingsError with every mistake by its variable's name."""
    try:
        return kind()
    except ValidationError as error:
        mistakes = [
            f"{'_'.join(str(part) for part in item['loc']).upper() or 'environment'}: {item['msg']}"
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise SettingsError("; ".join(mistakes)) from None
