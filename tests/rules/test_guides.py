"""Every page's PromQL parses and names metrics that the cluster has; the operators' pages have something to run."""

import re
from pathlib import Path

import pytest
from tests.unit.docs.pages import Page, every_page
from tests.unit.docs.queries import queries

from .guides import GUIDES, reading
from .log_rules import log_alerts
from .metrics import LIST, Exposed, named, read_list, unknown
from .promtool import output_of
from .runbooks import refused
from .test_metrics import RULES, recorded

EXPOSED = read_list(LIST.read_text(encoding="utf-8"))
ALERTS = {rule["alert"] for rule in RULES if "alert" in rule} | {alert.name for alert in log_alerts()}
STATES = {"ImagePullBackOff", "CrashLoopBackOff", "CreateContainerConfigError"}  # of a pod's containers
PAGES = [page for page in every_page() if "/monitoring/runbooks/" not in page.name]  # those: test_runbooks.py


def wrong(page: Page, exposed: Exposed) -> list[str]:
    """The metrics that a page's queries name and nothing has."""
    return unknown(named([one.text for one in queries(page, "promql")], output_of), exposed, recorded())


def test_every_query_of_a_page_parses_and_names_metrics_that_the_cluster_has() -> None:
    shown = [one.text for page in PAGES for one in queries(page, "promql")]
    assert len(shown) > 30
    if unknown(named(shown, output_of), EXPOSED, recorded()):
        pytest.fail(f"{LIST.name} has no such metrics: { {page.name: wrong(page, EXPOSED) for page in PAGES} }")


def test_a_metric_that_nothing_has_is_found_and_a_query_that_is_none_too() -> None:
    page = Page("x.md", "```promql\nsum(rate(http_request_total[5m]))\n```")
    assert wrong(page, EXPOSED) == ["http_request_total"]
    command = Page("x.md", "```sh\npromtool query instant http://127.0.0.1:9090 'upp == 0'\n```")
    assert wrong(command, EXPOSED) == ["upp"]
    with pytest.raises(AssertionError, match="parse error"):
        wrong(Page("x.md", "```promql\nsum by (a rate(up[5m])\n```"), EXPOSED)


def unknown_alerts(page: Page) -> list[str]:
    """What a page names as one names alerts, and what is neither one nor a state of Kubernetes'."""
    words = {one.text for one in page.spans if re.fullmatch(r"([A-Z][a-z]+){2,}", one.text)}
    return sorted(words - ALERTS - STATES)


def test_the_alerts_that_operators_pages_name_are_there() -> None:
    pages = [Page(path.name, path.read_text(encoding="utf-8")) for path in GUIDES]
    assert sum(len({one.text for one in page.spans} & ALERTS) for page in pages) > 20
    assert {page.name: found for page in pages if (found := unknown_alerts(page))} == {}
    assert unknown_alerts(Page("x.md", "See `KafkaDown` and `KafkaGone`.")) == ["KafkaGone"]


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_an_operators_page_has_queries_and_commands_that_only_read(path: Path) -> None:
    found = reading(path)
    assert {block.language for block in found} >= {"promql", "sh"}
    assert [reason for block in found for reason in refused(block)] == []
