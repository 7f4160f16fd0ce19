"""The suites' fixtures: one client of the API server for the session, one user a test."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from tests.e2e.support import Backend, new_user

from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.domain import load
from sluice.steps.run_suites import CONTEXT_VARIABLE, ServiceAddress, SuiteContext
from sluice.suite_recorder import RECORDER


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One event loop for the session, so that session fixtures and tests share their connections."""
    return "asyncio"


@pytest.fixture(scope="session")
def context() -> SuiteContext:
    """Where everything is: written by steps/run_suites.py."""
    path = os.environ.get(CONTEXT_VARIABLE)
    if not path:
        pytest.fail(f"{CONTEXT_VARIABLE} is not set: run the suites with ./nox -s e2e", pytrace=False)
    return load(SuiteContext, Path(path))


@pytest.fixture(scope="session")
async def api_server(context: SuiteContext, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    """The API server, with the kubeconfig's credentials."""
    async with connect(Path(context.kubeconfig), context=context.kube_context) as client:
        yield client


def _proxy(client: httpx.AsyncClient, address: ServiceAddress) -> ServiceProxy:
    return ServiceProxy(client, address.namespace, address.name, address.port)


@pytest.fixture(scope="session")
def prometheus(context: SuiteContext, api_server: httpx.AsyncClient) -> PrometheusMetrics:
    """The cluster's Prometheus."""
    return PrometheusMetrics(_proxy(api_server, context.prometheus))


@pytest.fixture(scope="session")
def loki(context: SuiteContext, api_server: httpx.AsyncClient) -> LokiLogs:
    """The cluster's Loki."""
    return LokiLogs(_proxy(api_server, context.loki))


@pytest.fixture(scope="session")
def loki_http(context: SuiteContext, api_server: httpx.AsyncClient) -> ServiceProxy:
    """Loki's HTTP API, for what is not a query."""
    return _proxy(api_server, context.loki)


@pytest.fixture(scope="session")
def alertmanager(context: SuiteContext, api_server: httpx.AsyncClient) -> ServiceProxy:
    """The cluster's Alertmanager."""
    return _proxy(api_server, context.alertmanager)


@pytest.fixture(scope="session")
def backend_proxy(context: SuiteContext, api_server: httpx.AsyncClient) -> ServiceProxy:
    """The backend, without a user."""
    return _proxy(api_server, context.services["backend"])


@pytest.fixture
def note_request(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note a request's id with the test that is running: in JUnit, and in the record that survives a kill."""
    recorder = request.config.pluginmanager.get_plugin(RECORDER)
    test = request.node

    def note(request_id: str) -> None:
        test.user_properties.append(("request_id", request_id))
        if recorder:
            recorder.request(test.nodeid, request_id)

    return note


@pytest.fixture
def user() -> str:
    """This test's own user."""
    return new_user()


@pytest.fixture
def backend(backend_proxy: ServiceProxy, user: str, note_request: Callable[[str], None]) -> Backend:
    """The backend as this test's user."""
    return Backend(backend_proxy, user, note_request)
