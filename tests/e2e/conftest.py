"""The suites' fixtures: one client of the API server for the session, one user a test."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from tests.e2e.kube import Kube
from tests.e2e.sockets import Sockets
from tests.e2e.support import Backend, Client, Clients, trace_of
from tests.e2e.users import Signer, new_user

from sluice.adapters.kubernetes.connection import connect, websocket_access
from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.domain import load
from sluice.steps.run_suites import CONTEXT_VARIABLE, ServiceAddress, SuiteContext
from sluice.steps.suite_plan import OTHERS, PLACES, Test
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


def pytest_configure(config: pytest.Config) -> None:
    """Register the suites' own markers."""
    for name, meaning in {**{name: meaning for name, (_, meaning) in PLACES.items()}, **OTHERS}.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what is marked where it belongs: by hand, a suite runs in the order that the pipeline keeps."""
    items.sort(key=lambda item: Test(item.nodeid, frozenset(mark.name for mark in item.iter_markers())).place)


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
async def kube(context: SuiteContext, api_server: httpx.AsyncClient) -> Kube:
    """The API server's own objects."""
    access = await websocket_access(Path(context.kubeconfig), context=context.kube_context)
    return Kube(api_server, Sockets(access), context.namespace)


@pytest.fixture(scope="session")
async def signer(kube: Kube) -> Signer:
    """Whose tokens the services believe."""
    return Signer.from_jwk(await kube.secret("user-tokens", "signing-key.jwk"))


@pytest.fixture(scope="session")
def clients(context: SuiteContext, api_server: httpx.AsyncClient, signer: Signer) -> Clients:
    """Every service that the pipeline found."""
    proxies = {name: _proxy(api_server, address) for name, address in context.services.items()}
    return Clients(proxies, signer)


@pytest.fixture(scope="session")
def backend_proxy(clients: Clients) -> ServiceProxy:
    """The backend, without a user."""
    return clients.proxies["backend"]


@pytest.fixture
def note_request(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note a request's id, and so its trace, with the test that is running: in JUnit, and in the record."""
    recorder = request.config.pluginmanager.get_plugin(RECORDER)
    test = request.node

    def note(request_id: str) -> None:
        test.user_properties.append(("request_id", request_id))
        if recorder:
            recorder.request(test.nodeid, request_id)
            recorder.trace(test.nodeid, trace_of(request_id))

    return note


@pytest.fixture
def user() -> str:
    """This test's own user."""
    return new_user()


@pytest.fixture
def backend(clients: Clients, user: str, note_request: Callable[[str], None]) -> Backend:
    """The backend as this test's user."""
    return clients.backend(user, note_request)


@pytest.fixture
def client(clients: Clients, user: str, note_request: Callable[[str], None]) -> Callable[..., Client]:
    """Makes a client of a service, by its name and roles, as this test's user."""

    def of(service: str, *roles: str) -> Client:
        return clients.of(service, user, note_request, *roles)

    return of
