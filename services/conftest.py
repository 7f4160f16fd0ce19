"""Shared by the services' unit tests: puts every service's `src` on the path, as the images do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

SERVICES = Path(__file__).parent

for source in sorted(SERVICES.glob("*/src")):
    sys.path.insert(0, str(source))


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, for whoever runs these tests without the repository's own configuration."""
    config.addinivalue_line("markers", "contract: runs against a real third-party program on this machine")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio alone: SQLAlchemy and uvicorn know no other."""
    return "asyncio"
