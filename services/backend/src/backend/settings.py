"""What the backend reads from its environment, on top of what every service does."""

from __future__ import annotations

from servicekit.settings import DatabaseSettings, EventSettings, ServiceSettings, TokenSettings


class BackendSettings(ServiceSettings, DatabaseSettings, TokenSettings, EventSettings):
    """The backend's settings; FAULTS_ENABLED mounts routes that fail on purpose, for E2E suites only."""

    service_name: str = "backend"
    faults_enabled: bool = False
