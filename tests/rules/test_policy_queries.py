"""The queries of release/policy.toml, evaluated by promtool on series whose answer is known."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sluice.policy import expand, load_policy

ROOT = Path(__file__).parents[2]
POLICY = {objective.name: objective for objective in load_policy(ROOT / "release" / "policy.toml").objectives}
PROMTOOL = str(Path(os.environ["SLUICE_BIN"]) / "promtool") if "SLUICE_BIN" in os.environ else "promtool"
ROUTE = "/api/v1/tasks"


def series(name: str, values: str, **labels: str) -> dict[str, str]:
    told = {"namespace": "default", "service": "backend", "pod": "b-1", "route": ROUTE, "method": "GET"} | labels
    return {"series": f"{name}{{{','.join(f'{k}={json.dumps(v)}' for k, v in told.items())}}}", "values": values}


# Every 5 s; asked at 4 min over 120 s, so what happened before the 24th value is not of this run.
SERIES = [
    series("http_requests_total", "40+2x24 88x60", status="200"),
    series("http_requests_total", "_x30 1 1 1 2 2 2 2 2 2x40", status="500"),
    series("http_requests_total", "_x30 9x50", status="500", route="/faults/error"),
    series("http_requests_total", "0+10x80", status="503", route="/healthz"),
    series("http_requests_total", "_x26 100 110 110x50", status="201"),
    series("http_requests_total", "_x26 3 4 stale", status="201", pod="gone"),
    series("http_requests_total", "0+1x80", status="200", service="quiet"),
    series("http_request_duration_seconds_bucket", "_x26 90x60", le="0.1"),
    series("http_request_duration_seconds_bucket", "_x26 94x60", le="0.25"),
    series("http_request_duration_seconds_bucket", "_x26 99x60", le="0.5"),
    series("http_request_duration_seconds_bucket", "_x26 100x60", le="+Inf"),
    series("http_request_duration_seconds_count", "_x26 100x60"),
]


def asked(query: str | None, *expected: tuple[str, float]) -> dict[str, Any]:
    assert query
    return {
        "expr": expand(query, window_seconds=120, namespace="default"),
        "eval_time": "4m",
        "exp_samples": [{"labels": labels, "value": value} for labels, value in expected],
    }


def check(folder: Path, given: list[dict[str, str]], tests: list[dict[str, Any]]) -> None:
    group = {"interval": "5s", "input_series": given, "promql_expr_test": tests}
    file = folder / "queries.yaml"  # JSON is YAML
    file.write_text(json.dumps({"evaluation_interval": "5s", "tests": [group]}), encoding="utf-8")
    done = subprocess.run([PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_failure_that_its_series_is_born_with_is_counted(tmp_path: Path) -> None:
    """2 of 116 requests, of a pod that is gone too; probes and provoked failures are none of them."""
    errors = POLICY["error-ratio"]
    check(
        tmp_path,
        SERIES,
        [
            asked(errors.query, ('{service="backend"}', 2 / 116), ('{service="quiet"}', 0)),
            asked(errors.samples_query, ("{}", 116 + 24)),
        ],
    )


def test_the_latency_is_that_of_the_runs_requests(tmp_path: Path) -> None:
    latency = POLICY["p95-latency"]
    check(
        tmp_path,
        SERIES,
        [asked(latency.query, ('{service="backend"}', 0.3)), asked(latency.samples_query, ("{}", 100))],
    )


def event(values: str, le: str, **labels: str) -> dict[str, str]:
    told = {"namespace": "default", "service": "sync", "pod": "s-1", "type": "task.created"} | labels
    pairs = ",".join(f"{key}={json.dumps(value)}" for key, value in (told | ({"le": le} if le else {})).items())
    return {"series": f"event_delay_seconds_{'bucket' if le else 'count'}{{{pairs}}}", "values": values}


def test_the_delay_is_that_of_the_runs_events(tmp_path: Path) -> None:
    """Slow ones from before the run are none of it; nor is a service that had no event, or another namespace."""
    delay = POLICY["event-delay"]
    given = [
        # 100 slow ones before the run; in it 60 within half a second and 40 within one, of a pod that is born in it.
        event("100x90", "+Inf"),
        event("0x90", "0.5"),
        event("0x90", "1.0"),
        event("100x90", ""),
        event("_x26 60x60", "0.5", pod="s-2"),
        event("_x26 100x60", "1.0", pod="s-2"),
        event("_x26 100x60", "+Inf", pod="s-2"),
        event("_x26 100x60", "", pod="s-2"),
        event("7x90", "0.5", service="audit"),
        event("7x90", "+Inf", service="audit"),
        event("7x90", "", service="audit"),
        event("_x26 9x60", "+Inf", namespace="elsewhere"),
        event("_x26 9x60", "", namespace="elsewhere"),
    ]
    half = 0.5 * 50 / 60
    check(
        tmp_path,
        given,
        [asked(delay.query, ('{service="sync"}', half)), asked(delay.samples_query, ("{}", 100))],
    )


def outbox(service: str, pod: str, values: str, namespace: str = "default") -> dict[str, str]:
    labels = f'namespace="{namespace}",service="{service}",pod="{pod}"'
    return {"series": f"outbox_pending_events{{{labels}}}", "values": values}


def test_the_outbox_is_judged_at_the_runs_end_and_by_the_fullest_pod(tmp_path: Path) -> None:
    pending = POLICY["outbox-empty"]
    given = [
        outbox("backend", "b-1", "9x40 0x60"),
        outbox("backend", "b-2", "0x100"),
        outbox("recurring-task", "r-1", "0x40 3x60"),
        outbox("recurring-task", "r-2", "1x100"),
        outbox("recurring-task", "gone", "5x20 stale"),
        outbox("other", "o-1", "4x100", namespace="elsewhere"),
    ]
    check(
        tmp_path,
        given,
        [
            asked(pending.query, ('{service="backend"}', 0), ('{service="recurring-task"}', 3)),
            asked(pending.samples_query, ("{}", 4)),
        ],
    )


@pytest.mark.parametrize(
    ("route", "of_errors", "of_latency"),
    [
        ("/api/v1/tasks", True, True),
        ("/api/v1/faults", True, True),  # what is left out begins with these, and does not only hold them
        ("/faultsome", True, True),
        ("/audit/verify", True, False),
        ("/faults/error", False, False),
        ("/events/{topic}", False, False),
        ("/dapr/subscribe", False, False),
        ("/healthz", False, False),
        ("/readyz", False, False),
        ("/metrics", False, False),
    ],
)
def test_the_routes_that_are_no_users_requests_are_left_out(
    tmp_path: Path, route: str, of_errors: bool, of_latency: bool
) -> None:
    errors, latency = POLICY["error-ratio"], POLICY["p95-latency"]
    given = [
        series("http_requests_total", "_x26 5x60", status="500", route=route),
        series("http_request_duration_seconds_bucket", "_x26 5x60", le="0.1", route=route),
        series("http_request_duration_seconds_bucket", "_x26 5x60", le="+Inf", route=route),
        series("http_request_duration_seconds_count", "_x26 5x60", route=route),
    ]
    check(
        tmp_path,
        given,
        [
            asked(errors.query, *[('{service="backend"}', 1.0)] * of_errors),
            asked(errors.samples_query, *[("{}", 5.0)] * of_errors),
            asked(latency.query, *[('{service="backend"}', 0.095)] * of_latency),
            asked(latency.samples_query, *[("{}", 5.0)] * of_latency),
        ],
    )


def test_a_target_that_answered_lately_is_up(tmp_path: Path) -> None:
    """Asked at 4 min: down for a scrape is up all the same, down for 25 s is down; what is gone, or new, is none."""
    up = POLICY["targets-up"]
    given = [
        {"series": 'up{pod="well"}', "values": "1x60"},
        {"series": 'up{pod="moment"}', "values": "1x46 0 0x3"},
        {"series": 'up{pod="down"}', "values": "1x42 0x20"},
        {"series": 'up{pod="gone"}', "values": "0x20 stale"},
        {"series": 'up{pod="added"}', "values": "_x37 0x20"},
        {"series": 'up{pod="never"}', "values": "_x35 0x20"},
        {"series": 'up{pod="drill",namespace="drills"}', "values": "0x60"},  # broken on purpose, and run again at last
    ]
    expected = [('{pod="well"}', 1.0), ('{pod="moment"}', 1.0), ('{pod="down"}', 0.0), ('{pod="never"}', 0.0)]
    check(tmp_path, given, [asked(up.query, *expected), asked(up.samples_query, ("{}", 6))])


def test_without_series_no_query_makes_one_up(tmp_path: Path) -> None:
    check(tmp_path, [], [asked(one.query) for one in POLICY.values() if one.kind == "promql"])


def test_a_restart_is_counted_and_a_pod_that_is_replaced_is_none(tmp_path: Path) -> None:
    """Asked at 4 min over 120 s: one that restarted before is none of this run, nor is another namespace's."""

    def restarts(pod: str, values: str, namespace: str = "default") -> dict[str, str]:
        labels = f'namespace="{namespace}",pod="{pod}",container="backend"'
        return {"series": f"kube_pod_container_status_restarts_total{{{labels}}}", "values": values}

    given = [
        restarts("before", "0x10 3x60"),
        restarts("deleted", "0x30 stale"),
        restarts("born", "_x32 0x40"),
        restarts("killed", "0x30 1x5 2x40"),
        restarts("elsewhere", "0x30 9x40", namespace="other"),
    ]
    found = POLICY["restarts"]
    check(tmp_path, given, [asked(found.query, ("{}", 2)), asked(found.samples_query, ("{}", 3))])


def test_memory_is_that_of_the_services_own_processes_at_the_end(tmp_path: Path) -> None:
    """Neither a sidecar's nor an exporter's, and the larger of two pods."""
    memory, name = POLICY["memory"], "process_resident_memory_bytes"
    given = [
        series(name, "9e8x40 1e8x60", route="", method="", job="backend"),
        series(name, "2e8x100", route="", method="", job="backend", pod="b-2"),
        series(name, "9e8x100", route="", method="", job="dapr"),
        series(name, "9e8x100", route="", method="", job="kafka", service="kafka"),
        series("http_requests_total", "1x100", job="backend"),
        series("http_requests_total", "1x100", job="backend", pod="b-2"),
    ]
    tests = [asked(memory.query, ('{service="backend"}', 2e8)), asked(memory.samples_query, ("{}", 2))]
    check(tmp_path, given, tests)


def test_series_are_those_that_a_service_itself_exposes(tmp_path: Path) -> None:
    exposed, name = POLICY["series"], "scrape_samples_post_metric_relabeling"
    given = [
        series(name, "440x100", route="", method="", job="backend"),
        series(name, "450x100", route="", method="", job="backend", pod="b-2"),
        series(name, "9000x100", route="", method="", job="apiserver", pod=""),
        series(name, "9000x100", route="", method="", job="dapr"),
        series("http_requests_total", "1x100", job="backend"),
        series("http_requests_total", "1x100", job="backend", pod="b-2"),
    ]
    tests = [asked(exposed.query, ('{service="backend"}', 450)), asked(exposed.samples_query, ("{}", 2))]
    check(tmp_path, given, tests)


def test_the_budgets_are_those_of_the_objectives_that_it_names(tmp_path: Path) -> None:
    budget, name = POLICY["error-budget"], "slo:period_error_budget_remaining:ratio"
    of = {slo: {"route": "", "method": "", "pod": "", "slo": slo} for slo in ("availability", "latency", "event-delay")}
    given = [
        series(name, "0.5x100", **of["availability"]),
        series(name, "-3x100", **of["event-delay"]),
        series(name, "1x100", namespace="elsewhere", **of["latency"]),
        series("slo:sli_total:increase1h", "40x100", **of["availability"]),
        series("slo:sli_total:increase1h", "2x100", **of["latency"]),
        series("slo:sli_total:increase1h", "99x100", **of["event-delay"]),
    ]
    left = f'{name}{{namespace="default",service="backend",slo="availability"}}'
    check(tmp_path, given, [asked(budget.promql, (left, 0.5)), asked(budget.counted_by, ("{}", 42))])
