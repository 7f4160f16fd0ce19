"""Tests that take `service` run once for every service that the pipeline found."""

import os
from pathlib import Path

import pytest

from sluice.domain import load
from sluice.steps.run_suites import CONTEXT_VARIABLE, SuiteContext


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `service` its values; without a context there are none, and the fixture `context` says what to do."""
    if "service" in metafunc.fixturenames:
        path = os.environ.get(CONTEXT_VARIABLE)
        names = sorted(load(SuiteContext, Path(path)).services) if path else []
        metafunc.parametrize("service", names)
