"""The settings: defaults, lists, and every mistake by its variable's name."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from notification.settings import NotificationSettings
from servicekit.settings import SettingsError, load_settings
from testkit.settings import files_of_secrets
from testkit.tokens import Keys


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, keys: Keys) -> pytest.MonkeyPatch:
    """The environment that is needed at least."""
    for name, value in files_of_secrets(tmp_path, keys).items():
        monkeypatch.setenv(name.upper(), str(value))
    monkeypatch.setenv("DATABASE_URL", "sqlite+aiosqlite:///unused.db")
    return monkeypatch


def test_what_is_not_set_has_a_safe_default(variables: pytest.MonkeyPatch) -> None:
    settings = load_settings(NotificationSettings)
    assert settings.webhook_allowed_hosts == ()
    assert settings.faults_enabled is False
    assert (settings.smtp_host, settings.smtp_port, settings.smtp_starttls) == ("", 587, "starttls")
    assert (settings.delivery_max_attempts, settings.delivery_retry_cap_seconds) == (8, 3600)


def test_lists_are_written_with_commas(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("WEBHOOK_ALLOWED_HOSTS", "Notification, localhost:8080,127.0.0.1,[::1]:80,")
    variables.setenv("WEBHOOK_REFUSED_NETWORKS", "20.0.0.0/8,2a00::/16")
    settings = load_settings(NotificationSettings)
    assert settings.webhook_allowed_hosts == ("notification", "localhost:8080", "127.0.0.1", "[::1]:80")
    assert settings.webhook_refused_networks == (ip_network("20.0.0.0/8"), ip_network("2a00::/16"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"WEBHOOK_ALLOWED_HOSTS": "http://receiver"}, "WEBHOOK_ALLOWED_HOSTS"),
        ({"WEBHOOK_REFUSED_NETWORKS": "10.0.0.1/8"}, "WEBHOOK_REFUSED_NETWORKS"),
        ({"SMTP_HOST": "mail.example"}, "SMTP_FROM not set"),
        ({"SMTP_HOST": "mail.example", "SMTP_FROM": "Sluice <s@example.org>"}, "SMTP_FROM"),
        ({"SMTP_STARTTLS": "perhaps"}, "SMTP_STARTTLS"),
        ({"SMTP_USER": "sluice"}, "SMTP_USER and SMTP_PASSWORD_FILE are needed together"),
        ({"SMTP_PASSWORD_FILE": "/nowhere"}, "SMTP_PASSWORD_FILE: .*cannot be read"),
        ({"DELIVERY_LEASE_SECONDS": "19"}, "DELIVERY_LEASE_SECONDS is 19, expected at least twice"),
        ({"DELIVERY_MAX_ATTEMPTS": "0"}, "DELIVERY_MAX_ATTEMPTS"),
        ({"DELIVERY_RETRY_FACTOR": "0.5"}, "DELIVERY_RETRY_FACTOR"),
    ],
)
def test_mistakes_are_named(variables: pytest.MonkeyPatch, values: dict[str, str], said: str) -> None:
    for name, value in values.items():
        variables.setenv(name, value)
    with pytest.raises(SettingsError, match=said):
        load_settings(NotificationSettings)


def test_a_password_is_never_sent_in_clear(variables: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    variables.setenv("SMTP_USER", "sluice")
    variables.setenv("SMTP_PASSWORD_FILE", str(tmp_path / "password"))
    assert load_settings(NotificationSettings).smtp_password() == "secret"
    variables.setenv("SMTP_STARTTLS", "none")
    with pytest.raises(SettingsError, match="would send the password in clear"):
        load_settings(NotificationSettings)
