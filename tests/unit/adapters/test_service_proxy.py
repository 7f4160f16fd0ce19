"""The service proxy: what is sent, what comes back, and who it was that refused."""

from collections.abc import Callable

import httpx
import pytest

from sluice.adapters.kubernetes.service_proxy import Kind, ServiceProxy
from sluice.errors import ClusterError

pytestmark = pytest.mark.anyio

Handler = Callable[[httpx.Request], httpx.Response]


def proxy_to(
    handler: Handler, base: str = "https://api.example:6443", name: str = "backend", kind: Kind = "services"
) -> ServiceProxy:
    client = httpx.AsyncClient(base_url=base, transport=httpx.MockTransport(handler))
    return ServiceProxy(client, "default", name, 8000, kind=kind)


async def test_a_request_goes_to_the_path_below_the_services_proxy() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"id": 1}, headers={"ETag": '"1"'})

    response = await proxy_to(answer, "https://api.example/k8s/clusters/c-1").request(
        "POST", "/api/v1/tasks", params={"q": "a b&c"}, headers={"X-Request-ID": "mine"}, json={"title": "x"}
    )
    assert (response.status_code, response.headers["ETag"]) == (201, '"1"')
    request = seen[0]
    assert request.url.path == (
        "/k8s/clusters/c-1/api/v1/namespaces/default/services/http:backend:8000/proxy/api/v1/tasks"
    )
    assert request.url.params["q"] == "a b&c"
    assert (request.headers["X-Request-ID"], request.content) == ("mine", b'{"title":"x"}')


async def test_one_particular_pod_is_reached_by_its_name() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(307, headers={"Location": f"{request.url.path}/"})

    response = await proxy_to(answer, name="sync-7f-x2", kind="pods").get("/api/v1/changes")
    assert response.request.url.path == "/api/v1/namespaces/default/pods/http:sync-7f-x2:8000/proxy/api/v1/changes"
    assert response.headers["Location"] == "/api/v1/changes/"


async def test_an_error_of_the_service_is_an_answer() -> None:
    body = {"type": "about:blank", "status": 503}
    response = await proxy_to(lambda _: httpx.Response(503, json=body)).get("/readyz")
    assert (response.status_code, response.json()) == (503, body)


async def test_an_error_of_the_api_server_is_raised_with_its_message() -> None:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "message": 'no endpoints available for service "http:backend:8000"',
    }
    with pytest.raises(ClusterError) as raised:
        await proxy_to(lambda _: httpx.Response(503, json=status)).get("/readyz")
    assert raised.value.seen == '503: no endpoints available for service "http:backend:8000"'
    assert "default/backend:8000" in raised.value.failed
    assert "/services/http%3Abackend%3A8000/proxy/readyz" in raised.value.next_command


async def test_no_answer_is_raised_with_the_address() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(ClusterError) as raised:
        await proxy_to(refuse, name="sync-7f-x2", kind="pods").get("/readyz")
    assert "https://api.example:6443" in raised.value.failed
    assert "the pod default/sync-7f-x2:8000" in raised.value.failed
    assert raised.value.seen == "ConnectError: connection refused"
