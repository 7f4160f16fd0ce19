"""Settings: all mistakes at once, by variable name, and never a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from servicekit.database import create_engine, database_url
from servicekit.settings import DatabaseSettings, ServiceSettings, SettingsError, load_settings


class Both(ServiceSettings, DatabaseSettings):
    """As a service with a database has them."""

    service_name: str = "example"


pytestmark = pytest.mark.usefixtures("clean_environment")


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the caller's environment may hold."""
    for name in Both.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_all_mistakes_are_reported_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTP_PORT", "hunter2")
    monkeypatch.setenv("LOG_LEVEL", "hunter2")
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://ann:hunter2@db/tasks")
    with pytest.raises(SettingsError) as caught:
        load_settings(Both)
    text = str(caught.value)
    for name in ("HTTP_PORT", "LOG_LEVEL", "DATABASE_PASSWORD_FILE", "DATABASE_URL"):
        assert f"{name}: " in text
    assert "No such file" in text
    assert "hunter2" not in text


def test_the_missing_pieces_of_the_address_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_HOST", "db")
    with pytest.raises(SettingsError, match="DATABASE_NAME, DATABASE_USER not set"):
        load_settings(Both)


def test_the_password_is_read_from_its_file_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("one\n")
    for name, value in {"HOST": "db", "NAME": "tasks", "USER": "ann", "PASSWORD_FILE": str(secret)}.items():
        monkeypatch.setenv(f"DATABASE_{name}", value)
    settings = load_settings(Both)
    assert settings.database_password() == "one"
    secret.write_text("two\n")
    assert settings.database_password() == "two"
    assert str(database_url(settings)) == "postgresql+asyncpg://ann@db:5432/tasks"
    engine = create_engine(settings, application="example")
    assert "two" not in repr((settings, engine, engine.url.render_as_string(hide_password=False)))
