"""What the suites share: waiting with a last cause, the services' clients, PromQL to one number."""

import re
import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import anyio
import httpx
import pytest
from tests.e2e.users import Signer

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.errors import SluiceError
from sluice.steps.run_suites import SuiteContext

T = TypeVar("T")

# Every error that a test provokes carries this; the gate counts all other ERROR lines against the release.
PROVOKED = "sluice-provoked"
TOKEN_HEADER = "X-Forwarded-Access-Token"
# Long enough for two scrapes of 30 s, the longest interval that our values files have.
SCRAPED_WITHIN = 75.0
SHIPPED_WITHIN = 45.0
# From a change to what other services make of it: outbox, broker, sidecar and database lie in between.
EFFECT_WITHIN = 20.0
# The host's clock and the cluster's need not agree to the second.
SKEW_SECONDS = 120


async def eventually(check: Callable[[], Awaitable[T]], *, within: float, every: float = 0.25) -> T:
    """Return what `check` returns, once it neither asserts nor fails to reach what it asks.

    Raises AssertionError after `within` seconds, with the last cause.
    """
    cause = "the first try got no answer"
    with anyio.move_on_after(within):
        while True:
            try:
                return await check()
            except AssertionError as error:
                cause = str(error)
            except (SluiceError, httpx.HTTPError) as error:
                cause = f"{type(error).__name__}: {error}"
            await anyio.sleep(every)
    raise AssertionError(f"not within {within:g} s; last cause: {cause}")


def helm(context: SuiteContext, *words: str) -> list[str]:
    """A command of Helm's about the services' releases."""
    access = ["--namespace", context.namespace, "--kubeconfig", context.kubeconfig]
    access += ["--kube-context", context.kube_context] if context.kube_context else []
    return [context.helm, *words, *access]


def asked_for(request: pytest.FixtureRequest, parameter: str) -> set[Any]:
    """The values of a parameter in the tests of a fixture's module that this session runs.

    A test that is run again by itself need not wait for what only the others look at.
    """
    items = [item for item in request.session.items if getattr(item, "module", None) is request.module]
    if any(parameter not in _parameters(item) for item in items):
        return set()
    return {_parameters(item)[parameter] for item in items}


def _parameters(item: pytest.Item) -> Mapping[str, Any]:
    return getattr(getattr(item, "callspec", None), "params", {})


@dataclass(frozen=True)
class Client:
    """A service as one user: every request carries the user's token, and an id and a trace of its own, which are noted.

    The token goes by X-Forwarded-Access-Token: the API server keeps Authorization for itself.
    """

    proxy: ServiceProxy
    signer: Signer
    user: str
    note: Callable[[str], None]
    roles: tuple[str, ...] = ()

    def as_user(self, user: str, *roles: str) -> Self:
        """The same service, asked by somebody else."""
        return replace(self, user=user, roles=roles)

    def headers(self) -> dict[str, str]:
        """The header that says who asks."""
        return {TOKEN_HEADER: self.signer.token(self.user, *self.roles)}

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        anonymous: bool = False,
    ) -> httpx.Response:
        """Send one request, `anonymous` without a user."""
        trace = trace_in(headers or {}) or uuid.uuid4().hex
        request_id = f"e2e-{uuid.UUID(trace)}"  # one number for both: whoever has the one has the other
        self.note(request_id)
        ids = {"X-Request-ID": request_id, "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
        stamped = ids | ({} if anonymous else self.headers())
        return await self.proxy.request(
            method, path, params=params, headers={**stamped, **(headers or {})}, json=json, content=content
        )

    async def read(self, path: str, **params: str) -> dict[str, Any]:
        """Get an object."""
        return shown(await self.request("GET", path, params=params), 200)


class Backend(Client):
    """The backend as one user."""

    async def create(self, *, headers: Mapping[str, str] | None = None, **content: object) -> dict[str, Any]:
        """Create a task and return it as the backend shows it."""
        body = {"title": "a task", **content}
        return shown(await self.request("POST", "/api/v1/tasks", json=body, headers=headers), 201)

    async def complete(self, task_id: str) -> dict[str, Any]:
        """Complete a task and return it."""
        return shown(await self.request("POST", f"/api/v1/tasks/{task_id}/complete"), 200)

    async def list(self, **params: str) -> dict[str, Any]:
        """One page of the user's tasks."""
        return await self.read("/api/v1/tasks", **params)

    async def provoke_error(self, marker: str) -> httpx.Response:
        """Make the backend fail on purpose; the marker will be in its log."""
        assert marker.startswith(PROVOKED), f"{marker} would count against the release"
        response = await self.request("POST", "/faults/error", params={"marker": marker})
        assert response.status_code == 500, (
            f"{response.status_code} {response.text}: the backend needs faults.enabled in its chart's values"
        )
        return response


@dataclass(frozen=True)
class Clients:
    """Makes clients of any service: `proxies` by the service's name."""

    proxies: Mapping[str, ServiceProxy]
    signer: Signer

    def of(self, service: str, user: str, note: Callable[[str], None], *roles: str) -> Client:
        """A service as a user."""
        return Client(self.proxies[service], self.signer, user, note, roles)

    def backend(self, user: str, note: Callable[[str], None]) -> Backend:
        """The backend as a user."""
        return Backend(self.proxies["backend"], self.signer, user, note)


def trace_in(headers: Mapping[str, str]) -> str:
    """The trace id of a W3C traceparent that a test sends itself; empty where it sends none."""
    found = re.fullmatch(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", headers.get("traceparent", ""))
    return found[1] if found else ""


def trace_of(request_id: str) -> str:
    """The trace id of a request that a client made, from the id of the request."""
    return uuid.UUID(request_id.removeprefix("e2e-")).hex


def shown(response: httpx.Response, status: int) -> dict[str, Any]:
    """The JSON object of a response, after its status was checked."""
    assert response.status_code == status, f"expected {status}, got {response.status_code}: {response.text[:500]}"
    body = response.json()
    assert isinstance(body, dict), f"expected an object, got {response.text[:500]}"
    return body


def problem(response: httpx.Response, status: int, kind: str = "") -> dict[str, Any]:
    """The problem details (RFC 9457) of a response, its shape checked; `kind` is the type's last part."""
    media_type = response.headers.get("content-type", "")
    assert media_type.startswith("application/problem+json"), f"{media_type}: {response.text[:500]}"
    body = shown(response, status)
    assert body["status"] == status
    expected = f"urn:sluice:problem:{kind}" if kind else "about:blank"
    assert body["type"] == expected, f"expected {expected}, got {body}"
    assert body["title"], body
    assert body["request_id"] == response.request.headers["X-Request-ID"], body
    return body


async def number(prometheus: PrometheusMetrics, query: str) -> float:
    """The one number that a query gives; 0 where it finds no series."""
    series = await prometheus.instant(query)
    assert len(series) <= 1, f"{query} gives {len(series)} series"
    return series[0].points[0][1] if series else 0.0
