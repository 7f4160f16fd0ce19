"""What the backend did is what Prometheus has, to the number."""

import pytest
from tests.e2e.metrics.journey import DELAY_SECONDS, DELAYS, TASKS, Journey
from tests.e2e.support import shown

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.prometheus.client import PrometheusMetrics

# First: it counts to the number, and with pods that come and go a sum over them shrinks.
pytestmark = [pytest.mark.anyio, pytest.mark.first, pytest.mark.beside]

# Routes that the OpenAPI document leaves out, besides those that fail on purpose.
UNDOCUMENTED = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/dapr/subscribe", "/events/{topic}", "unmatched"}
FAULTS = "/faults/"


async def test_every_request_is_counted_once(journey: Journey) -> None:
    assert journey.grew["delay requests"] == DELAYS


async def test_the_duration_histogram_has_the_time_that_requests_took(journey: Journey) -> None:
    assert journey.grew["delay observations"] == DELAYS
    assert journey.grew["delays up to 0.25 s"] == 0
    assert journey.grew["delays up to 5 s"] == DELAYS
    assert DELAYS * DELAY_SECONDS <= journey.grew["delay seconds"] < DELAYS * 5


async def test_every_created_task_is_counted_under_its_priority(journey: Journey) -> None:
    assert journey.grew["urgent tasks"] == TASKS


async def test_database_statements_are_timed_by_operation(journey: Journey) -> None:
    assert journey.grew["insert statements"] >= TASKS
    assert 0 < journey.grew["insert seconds"] < 60


async def test_the_route_label_is_a_template_and_never_a_path(
    journey: Journey, prometheus: PrometheusMetrics, backend_proxy: ServiceProxy, selector: str
) -> None:
    documented = set(shown(await backend_proxy.get("/openapi.json"), 200)["paths"])
    series = await prometheus.instant(f"count by (route) (http_requests_total{{{selector}}})")
    routes = {one.labels["route"] for one in series}
    assert {route for route in routes - documented - UNDOCUMENTED if not route.startswith(FAULTS)} == set()
    assert {"/api/v1/tasks/{task_id}", "unmatched"} <= routes
    assert not [route for route in routes if journey.missing_task in route]


async def test_series_say_where_they_come_from(prometheus: PrometheusMetrics, selector: str) -> None:
    series = await prometheus.instant(f"up{{{selector}}} == 1")
    assert series, f"nothing with {selector} is up"
    for one in series:
        missing = {"namespace", "service", "pod", "container", "job"} - {k for k, v in one.labels.items() if v}
        assert not missing, f"{one.labels} lacks {missing}"
