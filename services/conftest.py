"""Shared by the services' unit tests: puts every service's `src` on the path, as the images do."""

from __future__ import annotations

import importlib
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

SERVICES = Path(__file__).parent

for source in (*sorted(SERVICES.glob("*/src")), SERVICES / "_testkit"):
    sys.path.insert(0, str(source))
    for package in source.glob("*/__init__.py"):
        # pytest names a test module after its path (backend.tests.test_x) and would put an empty module in the place
        # of a package of that name which is not loaded yet.
        importlib.import_module(package.parent.name)

from servicekit.logs import configure_logging  # noqa: E402
from testkit import contracts  # noqa: E402
from testkit.postgresql import Postgresql, server  # noqa: E402
from testkit.tokens import Keys  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, for whoever runs these tests without the repository's own configuration."""
    config.addinivalue_line("markers", "contract: runs against a real third-party program on this machine")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio alone: SQLAlchemy and uvicorn know no other."""
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_log() -> None:
    """Log to the standard library where a test wants nothing else: structlog's own default prints every local."""
    if not structlog.is_configured():
        structlog.configure(
            processors=[structlog.stdlib.render_to_log_kwargs],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=False,
        )


@pytest.fixture(autouse=True)
def published_events_keep_to_their_schemas() -> Iterator[None]:
    """Fail a test in which a service published what its schema does not allow."""
    contracts.VIOLATIONS.clear()
    yield
    assert contracts.VIOLATIONS == []


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Configure logging as a service does; call the fixture for the lines written so far."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    written = io.StringIO()
    configure_logging("example", stream=written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers = handlers
    root.setLevel(level)
    sys.excepthook = hook
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL server for the session."""
    with server() as running:
        yield running


@pytest.fixture(scope="session")
def keys() -> Keys:
    """The key pair that users' tokens are signed with."""
    return Keys()
