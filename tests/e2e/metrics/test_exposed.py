"""The list of metrics that rules are written by is what the cluster has: helm/monitoring/rules/metrics.txt."""

import re

import pytest
from tests.e2e.support import SCRAPED_WITHIN, eventually
from tests.rules.metrics import LIST, read_list
from tests.rules.renew_metrics import live_names

from sluice.adapters.prometheus.client import PrometheusMetrics

# Last, since many a series is born with its first event, and by then the suites have brought about one of each.
pytestmark = [pytest.mark.anyio, pytest.mark.last]

RULES, RUNBOOKS = LIST.parent, LIST.parent.parent / "runbooks"


def words() -> set[str]:
    """Every word of the rules and the runbooks: the metrics that they name are among them."""
    files = [*RULES.glob("*.yaml"), *RUNBOOKS.glob("*.md")]
    return set(re.findall(r"[A-Za-z_:][A-Za-z0-9_:]*", "\n".join(file.read_text(encoding="utf-8") for file in files)))


async def test_the_cluster_has_every_metric_that_a_rule_or_a_runbook_names(prometheus: PrometheusMetrics) -> None:
    """But those that the list gives a reason for. That rules name nothing else is a test of tests/rules."""
    exposed = read_list(LIST.read_text(encoding="utf-8"))
    used = (exposed.names & words()) - exposed.reasons.keys()
    assert len(used) >= 100

    async def all_there() -> None:
        missing = sorted(used - await live_names(prometheus))
        assert not missing, (
            f"{len(missing)} of {len(used)} metrics are not there: {', '.join(missing)}; correct the rule, or give "
            f"the name a reason in {LIST.name} and write it anew: ./nox -s metrics -- <kubeconfig>"
        )

    await eventually(all_there, within=SCRAPED_WITHIN, every=5)
