"""Settings come from the environment; secrets come from files named by the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import jwt
from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
TlsMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]

_URL_PASSWORD = re.compile(r"^[^:/]+://[^/@]*:[^/@]+@")


class SettingsError(Exception):
    """Raised when the environment holds bad settings; its text names every mistake, but never a value."""


def _readable(path: Path) -> Path:
    try:
        path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"the file cannot be read: {reason}") from error
    return path


def read_keys(path: Path) -> dict[str | None, jwt.PyJWK]:
    """Return the public keys of a JWK Set (RFC 7517) by key id. Raises OSError, or ValueError where there is none.

    Symmetric keys are left out: whoever can check such a signature can also make it.
    """
    try:
        found = jwt.PyJWKSet.from_json(path.read_text(encoding="utf-8")).keys
    except (jwt.PyJWTError, TypeError, AttributeError, KeyError, NotImplementedError) as error:
        raise ValueError(f"the file is not a JWK Set: {type(error).__name__}") from error
    keys = {key.key_id: key for key in found if key.key_type != "oct"}
    if not keys:
        raise ValueError("the file holds no public key")
    return keys


def _key_set(path: Path) -> Path:
    read_keys(_readable(path))
    return path


def _not_empty(path: Path) -> Path:
    if not _readable(path).read_bytes().strip():
        raise ValueError("the file is empty")
    return path


ReadableFile = Annotated[Path, AfterValidator(_readable)]
KeySetFile = Annotated[Path, AfterValidator(_key_set)]
SecretFile = Annotated[Path, AfterValidator(_not_empty)]


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
    database_password_file: ReadableFile | None = None
    database_sslmode: TlsMode = "prefer"
    database_ssl_root_file: ReadableFile | None = None
    database_pool_size: int = Field(default=5, ge=1, le=100)
    database_pool_overflow: int = Field(default=5, ge=0, le=100)
    database_statement_timeout_seconds: float = Field(default=15.0, gt=0)
    database_url: str = ""
    migration_timeout_seconds: float = Field(default=60.0, gt=0)

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


class TokenSettings(BaseSettings):
    """Whose tokens are believed; mixed into the settings of a service that has users."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    token_keys_file: KeySetFile
    token_audience: str = Field(default="sluice", min_length=1)
    token_issuer: str = ""


class EventSettings(BaseSettings):
    """Where the Dapr sidecar is; mixed into the settings of a service that publishes or consumes events."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    dapr_http_port: int = Field(default=3500, ge=1, le=65535)
    pubsub_name: str = Field(default="pubsub", pattern=r"^[a-z][a-z0-9-]*$")
    dapr_app_token_file: SecretFile
    max_event_bytes: int = Field(default=256 * 1024, ge=1)

    def dapr_app_token(self) -> str:
        """Read the token that the sidecar shows, anew, so that a rotated one needs no restart."""
        return self.dapr_app_token_file.read_text(encoding="utf-8").strip()


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
