"""What holds for every request: who asks, what is refused and how it is said, health."""

from typing import Any

import pytest
from tests.e2e.support import Backend, problem, shown

from sluice.adapters.kubernetes.service_proxy import ServiceProxy

pytestmark = pytest.mark.anyio

RECURRING = {"due_at": "2031-01-01T09:00:00Z", "recurrence": "FREQ=DAILY", "timezone": "UTC"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/title"),
        ({"title": ""}, "#/title"),
        ({"title": "x" * 201}, "#/title"),
        ({"title": "a task", "priority": "whenever"}, "#/priority"),
        ({"title": "a task", "due_at": "tomorrow"}, "#/due_at"),
        ({"title": "a task", "owner": "somebody else"}, "#/owner"),
        ({"title": "a task", **RECURRING, "recurrence": "FREQ=SOMETIMES"}, "#/recurrence"),
        ({"title": "a task", **RECURRING, "timezone": "Mars/Olympus"}, "#/timezone"),
        ({"title": "a task", **RECURRING, "due_at": None}, "#/due_at"),
    ],
    ids=[
        "no title",
        "empty title",
        "long title",
        "unknown priority",
        "no date",
        "a field that is not the user's",
        "no rule",
        "no time zone",
        "a rule without a date",
    ],
)
async def test_a_task_that_is_not_valid_is_refused_by_name_of_the_field(
    backend: Backend, body: dict[str, Any], pointer: str
) -> None:
    details = problem(await backend.request("POST", "/api/v1/tasks", json=body), 422, "validation-failed")
    assert [error["pointer"] for error in details["errors"]] == [pointer]
    assert (await backend.list())["items"] == []


async def test_a_body_that_is_no_json_is_refused(backend: Backend) -> None:
    response = await backend.request(
        "POST", "/api/v1/tasks", content=b'{"title": ', headers={"Content-Type": "application/json"}
    )
    problem(response, 400, "malformed-json")


async def test_a_body_that_is_too_large_is_refused(backend: Backend) -> None:
    response = await backend.request("POST", "/api/v1/tasks", json={"title": "a task", "description": "x" * 300_000})
    problem(response, 413, "body-too-large")


async def test_a_request_without_a_user_is_refused(backend: Backend) -> None:
    problem(await backend.request("GET", "/api/v1/tasks", anonymous=True), 401, "user-unknown")


async def test_an_unknown_path_and_an_unknown_method_get_problem_details(backend: Backend) -> None:
    problem(await backend.request("GET", "/api/v1/nothing"), 404)
    problem(await backend.request("DELETE", "/api/v1/tasks"), 405)


async def test_a_request_id_is_echoed_and_one_that_is_not_safe_to_log_is_replaced(backend: Backend) -> None:
    echoed = await backend.request("GET", "/api/v1/tasks")
    assert echoed.headers["X-Request-ID"] == echoed.request.headers["X-Request-ID"]
    unsafe = 'x" injected="1'
    replaced = await backend.request("GET", "/api/v1/tasks", headers={"X-Request-ID": unsafe})
    assert replaced.headers["X-Request-ID"] not in ("", unsafe)


async def test_the_service_is_alive_ready_with_its_database_and_serves_metrics(
    backend_proxy: ServiceProxy,
) -> None:
    assert shown(await backend_proxy.get("/healthz"), 200) == {"status": "ok"}
    assert shown(await backend_proxy.get("/readyz"), 200) == {"status": "ready", "checks": {"database": "ok"}}
    metrics = await backend_proxy.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    for name in ("http_requests_total", "http_request_duration_seconds", "tasks_created_total"):
        assert f"# TYPE {name} " in metrics.text
