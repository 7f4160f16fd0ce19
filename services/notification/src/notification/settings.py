"""What notification reads from its environment, on top of what every service does; ../../README.md lists it."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from servicekit.settings import DatabaseSettings, EventSettings, ReadableFile, ServiceSettings, TokenSettings

Network = IPv4Network | IPv6Network
SmtpTls = Literal["none", "starttls", "tls"]

# The characters of RFC 5321 that need no quotes; quoted local parts and non-ASCII ones are not supported.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(
    rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*@{_LABEL}(?:\.{_LABEL})*"
)
_LONGEST_LOCAL_PART = 64
_ALLOWED_HOST = re.compile(r"(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")


def mail_address(value: str) -> str:
    """Return a plain e-mail address as it is, or raise ValueError."""
    if not _ADDRESS.fullmatch(value) or value.index("@") > _LONGEST_LOCAL_PART:
        raise ValueError("must be a plain e-mail address, such as ann@example.org")
    return value


def _listed(value: object) -> object:
    """A list is written with commas; white space around them is nobody's."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _host(value: str) -> str:
    host = value.lower()
    if not _ALLOWED_HOST.fullmatch(host):
        raise ValueError("must be a list of host or host:port, such as receiver.default:8080,localhost")
    return host


def _networks(value: object) -> object:
    parts = _listed(value)
    return tuple(ip_network(part) for part in parts) if isinstance(parts, tuple) else parts


Hosts = Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_listed)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]


class SmtpSettings(BaseSettings):
    """The mail server that the operator gives; without a host there are no e-mail channels."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    smtp_host: str = Field(default="", max_length=255)
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_starttls: SmtpTls = "starttls"
    smtp_user: str = ""
    smtp_password_file: ReadableFile | None = None
    smtp_from: str = Field(default="", max_length=254)

    @field_validator("smtp_from")
    @classmethod
    def _from_is_an_address(cls, value: str) -> str:
        return mail_address(value) if value else value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.smtp_host and not self.smtp_from:
            raise ValueError("SMTP_FROM not set (needed with SMTP_HOST)")
        if bool(self.smtp_user) != bool(self.smtp_password_file):
            raise ValueError("SMTP_USER and SMTP_PASSWORD_FILE are needed together")
        if self.smtp_user and self.smtp_starttls == "none":
            raise ValueError("SMTP_STARTTLS is none, which would send the password in clear")
        return self

    def smtp_password(self) -> str:
        """Read the password anew, so that a rotated one serves the next mail without a restart."""
        if self.smtp_password_file is None:
            return ""
        return self.smtp_password_file.read_text(encoding="utf-8").rstrip("\r\n")


class NotificationSettings(ServiceSettings, DatabaseSettings, TokenSettings, EventSettings, SmtpSettings):
    """Notification's settings; FAULTS_ENABLED mounts a receiver of webhooks, for E2E suites only."""

    service_name: str = "notification"
    faults_enabled: bool = False
    max_channels_per_user: int = Field(default=10, ge=1, le=100)
    webhook_allowed_hosts: Hosts = ()
    webhook_refused_networks: Networks = ()
    trusted_ca_file: ReadableFile | None = None
    delivery_timeout_seconds: float = Field(default=10.0, gt=0, le=120)
    delivery_lease_seconds: float = Field(default=60.0, gt=0, le=3600)
    delivery_concurrency: int = Field(default=16, ge=1, le=200)
    delivery_concurrency_per_user: int = Field(default=4, ge=1, le=200)
    delivery_max_attempts: int = Field(default=8, ge=1, le=50)
    delivery_retry_first_seconds: float = Field(default=5.0, gt=0, le=3600)
    delivery_retry_factor: float = Field(default=3.0, ge=1, le=10)
    delivery_retry_cap_seconds: float = Field(default=3600.0, gt=0, le=86_400)
    deliveries_kept_days: int = Field(default=30, ge=1, le=3650)

    @model_validator(mode="after")
    def _lease_outlives_an_attempt(self) -> Self:
        # Else another replica would take a delivery that this one is still sending.
        if self.delivery_lease_seconds < 2 * self.delivery_timeout_seconds:
            raise ValueError(
                f"DELIVERY_LEASE_SECONDS is {self.delivery_lease_seconds:g},"
                f" expected at least twice DELIVERY_TIMEOUT_SECONDS ({self.delivery_timeout_seconds:g})"
            )
        return self
