"""The queries of release/policy.toml, evaluated by promtool on series whose answer is known."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

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


def test_without_series_no_query_makes_one_up(tmp_path: Path) -> None:
    check(tmp_path, [], [asked(one.query) for one in POLICY.values() if one.kind == "promql"])
