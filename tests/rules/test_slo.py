"""The service level objectives: what is generated of them is up to date and tested."""

import re

import pytest
import yaml

from sluice.slo.files import check, generated
from sluice.slo.load import load_slos
from sluice.slo.rules import BURNS

from .catalog import MONITORING, REPOSITORY

WINDOW_DAYS = 30
_SAMPLE = re.compile(r'\{slo="([^"]+)", window="([^"]+)"\}')


def test_generated_files_are_up_to_date() -> None:
    """Drift is told with the files and the command that mends it."""
    assert check(REPOSITORY) == 2 * len(load_slos(REPOSITORY))


def test_generating_twice_gives_the_same() -> None:
    assert generated(REPOSITORY) == generated(REPOSITORY)


@pytest.mark.parametrize("service", load_slos(REPOSITORY))
def test_every_alert_of_every_objective_fires_and_keeps_quiet(service: str) -> None:
    """By ALERTS, which has each objective and window: the tests of test_rules.py know alerts by their names only."""
    path = MONITORING / "rules" / "tests" / f"slo-{service}.test.yaml"
    cases = [
        {_SAMPLE.search(sample["labels"]).groups() for sample in case["exp_samples"]}  # type: ignore[union-attr]
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
        for case in test.get("promql_expr_test", ())
        if "ALERTS" in case["expr"]
    ]
    wanted = {(slo.name, burn.long) for slo in load_slos(REPOSITORY)[service] for burn in BURNS}
    assert set.union(*cases) == wanted
    assert set.intersection(*cases) == set()


@pytest.mark.parametrize("cloud", ["aks", "gke", "oke"])
def test_prometheus_keeps_what_a_budget_is_counted_from(cloud: str) -> None:
    values = yaml.safe_load((MONITORING / f"values-{cloud}.yaml").read_text(encoding="utf-8"))
    retention = values["prometheus"]["retention"]
    assert retention.endswith("d")
    assert int(retention[:-1]) > WINDOW_DAYS, f"{retention}: a budget of {WINDOW_DAYS} days would be one of fewer"
