"""What holds for every service, whatever it does: health, metrics, logs, users, targets."""

import json
import re
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from tests.e2e.kube import Kube
from tests.e2e.support import (
    SCRAPED_WITHIN,
    SHIPPED_WITHIN,
    SKEW_SECONDS,
    TOKEN_HEADER,
    Client,
    Clients,
    asked_for,
    eventually,
    helm,
    problem,
    shown,
)
from tests.e2e.users import Signer

from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.process import run
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.ports import LogLine
from sluice.steps.run_suites import SuiteContext

pytestmark = pytest.mark.anyio

FIELDS = ["timestamp", "level", "service", "message", "request_id", "user_id", "trace_id"]
COMMON_METRICS = {
    "http_requests_total": "counter",
    "http_request_duration_seconds": "histogram",
    "database_query_duration_seconds": "histogram",
    "process_resident_memory_bytes": "gauge",
}
SIDECAR_PORT = "dapr-metrics"
# The chart gives its pod 180 s.
TESTED_WITHIN = 240.0


@pytest.mark.smoke
async def test_it_is_alive_and_ready_with_all_that_it_needs(service: str, clients: Clients) -> None:
    assert shown(await clients.proxies[service].get("/healthz"), 200) == {"status": "ok"}
    report = shown(await clients.proxies[service].get("/readyz"), 200)
    assert report["status"] == "ready"
    assert set(report["checks"].values()) <= {"ok"}, report


@pytest.mark.smoke
async def test_it_serves_the_metrics_that_all_have(service: str, clients: Clients) -> None:
    metrics = await clients.proxies[service].get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    types = dict(line.split()[2:4] for line in metrics.text.splitlines() if line.startswith("# TYPE "))
    assert {name: types.get(name) for name in COMMON_METRICS} == COMMON_METRICS


async def test_whatever_it_documents_asks_for_a_user(service: str, client: Callable[..., Client]) -> None:
    asked = client(service)
    operations = await documented(asked)
    assert operations, f"{service} documents no operation"
    for method, path in operations:
        problem(await asked.request(method, path, anonymous=True), 401, "user-unknown")


@pytest.mark.parametrize("kind", ["expired", "forged", "for another audience", "of an unknown key", "no token at all"])
async def test_a_token_that_proves_nothing_is_refused(
    service: str, kind: str, client: Callable[..., Client], signer: Signer, user: str
) -> None:
    token = {
        "expired": signer.token(user, seconds=-60),
        "forged": signer.forger().token(user),
        "for another audience": signer.token(user, audience="another"),
        "of an unknown key": Signer(signer.key, "nobody's").token(user),
        "no token at all": "nonsense",
    }[kind]
    asked = client(service)
    method, path = (await documented(asked))[0]
    refused = await asked.request(method, path, anonymous=True, headers={TOKEN_HEADER: token})
    details = problem(refused, 401, "user-unknown")
    assert "Bearer" in refused.headers["WWW-Authenticate"]
    assert token not in json.dumps(details)


async def test_a_request_is_found_in_its_log_by_its_id(
    service: str, client: Callable[..., Client], loki: LokiLogs, context: SuiteContext, user: str
) -> None:
    asked, trace, since = client(service), secrets.token_hex(16), time.time() - SKEW_SECONDS
    method, path = (await documented(asked))[0]
    response = await asked.request(method, path, headers={"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"})
    request_id = response.request.headers["X-Request-ID"]
    assert response.headers["X-Request-ID"] == request_id
    # The container has the service's name: it is not the sidecar that logs this.
    stream = f'namespace="{context.namespace}", service="{service}", container="{service}"'
    query = f'{{{stream}}} |= "{request_id}" | json | request_id="{request_id}" | message="request served"'

    async def found() -> LogLine:
        lines = await loki.lines(query, start=since, end=time.time() + SKEW_SECONDS)
        assert len(lines) == 1, f"{query} gives {len(lines)} lines"
        return lines[0]

    line = await eventually(found, within=SHIPPED_WITHIN)
    fields = json.loads(line.text)
    assert list(fields)[: len(FIELDS)] == FIELDS
    told = {name: fields[name] for name in ("service", "level", "user_id", "trace_id", "method", "status")}
    expected = {"service": service, "level": "INFO", "user_id": user, "trace_id": trace}
    assert told == {**expected, "method": method, "status": response.status_code}
    assert line.labels["level"] == "INFO"


async def test_its_pods_are_locked_and_bounded(service: str, kube: Kube) -> None:
    """What runs keeps to what tests/charts asks of what is written."""
    pods = await kube.pods(service)
    assert pods, f"{service} has no pod"
    for pod in pods:
        user = pod["spec"].get("securityContext", {})
        assert user.get("runAsNonRoot") is True, f"{service} may run as root: {user}"
        assert user.get("runAsUser", 0) > 0, f"{service} runs as root: {user}"
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            what, locked = f"{container['name']} of {service}", container.get("securityContext", {})
            assert locked.get("readOnlyRootFilesystem") is True, f"{what} may write its own file system: {locked}"
            assert locked.get("allowPrivilegeEscalation") is False, f"{what} may gain rights: {locked}"
            assert set(container["resources"].get("limits", {})) >= {"cpu", "memory"}, f"{what} lacks limits"


async def test_each_of_its_pods_is_scraped_and_so_is_each_sidecar(
    service: str, prometheus: PrometheusMetrics, kube: Kube, context: SuiteContext
) -> None:
    async def all_up() -> None:
        pods = await kube.ready_pods(service)
        assert pods, f"{service} has no pod that is ready"
        expected = {(pod["metadata"]["name"], service) for pod in pods}
        expected |= {(pod["metadata"]["name"], "dapr") for pod in pods if has_sidecar(pod)}
        series = await prometheus.instant(f'up{{namespace="{context.namespace}", service="{service}"}} == 1')
        missing = expected - {(one.labels["pod"], one.labels["job"]) for one in series}
        assert not missing, f"not up, as pod and job: {sorted(missing)}"

    await eventually(all_up, within=SCRAPED_WITHIN)


@pytest.fixture(scope="module")
async def helm_tests(request: pytest.FixtureRequest, context: SuiteContext) -> dict[str, str]:
    """What `helm test` says of each service: it waits for a pod most of its time, so they go side by side."""
    said: dict[str, str] = {}
    services = {str(one) for one in asked_for(request, "service")} or set(context.services)

    async def one(service: str) -> None:
        words = helm(context, "test", service, "--timeout", "200s")
        done = await run(words, deadline_seconds=TESTED_WITHIN, check=False)
        said[service] = f"{done.stdout}\n{done.tail if done.status else ''}"

    async with anyio.create_task_group() as group:
        for service in services:
            group.start_soon(one, service)
    return said


async def test_its_chart_passes_helms_test(service: str, helm_tests: dict[str, str]) -> None:
    """A pod of its own image finds it by its name and may call it: what the network policies let through is in it."""
    said = helm_tests[service]
    assert re.search(rf"TEST SUITE:\s+{service}-test\n(.+\n)*Phase:\s+Succeeded", said), said


async def documented(client: Client) -> list[tuple[str, str]]:
    """Method and path of every operation in a service's OpenAPI document, ids filled in, reading ones first."""
    paths = shown(await client.proxy.get("/openapi.json"), 200)["paths"]
    found = [(method.upper(), filled(path)) for path, operations in paths.items() for method in operations]
    return sorted(found, key=lambda operation: (operation[0] != "GET", "/00000000-" in operation[1]))


def filled(path: str) -> str:
    """A path template with an id that nothing has in every place of one."""
    return "/".join(str(uuid.UUID(int=0)) if part.startswith("{") else part for part in path.split("/"))


def has_sidecar(pod: dict[str, Any]) -> bool:
    """Whether a pod has Dapr's sidecar: a native one stands among the init containers."""
    containers = pod["spec"]["containers"] + pod["spec"].get("initContainers", [])
    return any(port.get("name") == SIDECAR_PORT for one in containers for port in one.get("ports", []))
