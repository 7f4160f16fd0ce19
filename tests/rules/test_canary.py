"""How a canary's events are counted, by Prometheus' own evaluation: from a counter's birth on, and its pods alone."""

from pathlib import Path

import pytest
import yaml

from sluice.promotion.canary_queries import countable, pods_of_canary, pods_of_stable
from sluice.slo.load import load_slos

from .catalog import REPOSITORY
from .promtool import promtool

SLOS = load_slos(REPOSITORY)
AVAILABILITY = countable(SLOS["backend"])[0]
CANARY, STABLE = pods_of_canary("backend"), pods_of_stable("backend")
OLD, FIRST, SECOND = "backend-5d8-x", "backend-canary-77c-a", "backend-canary-77c-b"
WINDOW, AT = 120.0, "5m"  # a sample each half minute: the window is from the seventh to the eleventh


def series(
    pod: str, status: int, values: str, *, namespace: str = "shop", route: str = "/api/v1/tasks"
) -> dict[str, str]:
    labels = f'service="backend",route="{route}",method="GET",status="{status}",namespace="{namespace}",pod="{pod}"'
    return {"series": f"http_requests_total{{{labels}}}", "values": values}


def holds(tmp_path: Path, query: str, given: list[dict[str, str]], value: float | None) -> None:
    """Promtool finds the value of a query, or no series at all."""
    samples = [] if value is None else [{"labels": '{namespace="shop", service="backend"}', "value": value}]
    test = {"expr": query, "eval_time": AT, "exp_samples": samples}
    file = tmp_path / "test.yaml"
    whole = {"rule_files": [], "tests": [{"interval": "30s", "input_series": given, "promql_expr_test": [test]}]}
    file.write_text(yaml.safe_dump(whole), encoding="utf-8")
    result = promtool("test", "rules", file)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("given", "pods", "bad", "total"),
    [
        # One that was there before, and one that is there since the middle of the window.
        ([series(FIRST, 200, "0+3x20"), series(SECOND, 200, "_x8 2+1x20")], CANARY, None, 12 + 4),
        # Errors of a counter that is born with seven of them and stays there: increase() would count none.
        ([series(FIRST, 200, "0+3x20"), series(FIRST, 500, "_x10 7x20")], CANARY, 7, 12 + 7),
        # What happened before the window.
        ([series(FIRST, 200, "0+3x20"), series(FIRST, 500, "7x20")], CANARY, 0, 12),
        # A process that was started again in the window.
        ([series(OLD, 200, "1000+3x7 2 5 8")], STABLE, None, 8),
        # A pod that is gone.
        ([series(FIRST, 200, "0+3x20"), series(SECOND, 500, "0+9x8 stale")], CANARY, None, 12),
        # Neither the other's, nor those of another namespace, nor what is no event of the objective.
        (
            [
                series(FIRST, 500, "0+1x20"),
                series(OLD, 500, "0+100x20"),
                series(FIRST, 500, "0+1000x20", namespace="dev"),
                series(FIRST, 500, "0+1000x20", route="/readyz"),
            ],
            CANARY,
            4,
            4,
        ),
        ([series(FIRST, 500, "0+1x20"), series(OLD, 200, "0+100x20")], STABLE, None, 400),
        ([series(OLD, 200, "0+100x20")], CANARY, None, None),
    ],
)
def test_events_of_the_window_are_counted(
    tmp_path: Path, given: list[dict[str, str]], pods: str, bad: float | None, total: float | None
) -> None:
    of_bad, of_all = AVAILABILITY.queries(namespace="shop", pods=pods, seconds=WINDOW)
    holds(tmp_path, of_bad, given, bad)
    holds(tmp_path, of_all, given, total)


@pytest.mark.parametrize("service", SLOS)
def test_what_is_asked_of_each_service_is_promql(tmp_path: Path, service: str) -> None:
    queries = [
        query
        for one in countable(SLOS[service])
        for pods in (pods_of_canary(service), pods_of_stable(service))
        for query in one.queries(namespace="shop", pods=pods, seconds=WINDOW)
    ]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "canary", "rules": rules}]}), encoding="utf-8")
    result = promtool("check", "rules", file)
    assert result.returncode == 0, result.stdout + result.stderr
