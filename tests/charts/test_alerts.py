"""Which alerts a profile has, and where their links lead."""

import re
from typing import Any

import pytest

from .rendering import PROFILES, Helm, documents, of_kind, read_values

BASES = (
    *("--set", "rules.runbookBaseUrl=https://git.example.org/main/"),
    *("--set", "rules.grafanaBaseUrl=https://g.example.org"),
)
MONITORS = {"kube-dns": "coredns"}  # the monitor of a job that is called otherwise


def written(helm: Helm) -> list[dict[str, Any]]:
    """The rules of the chart's files."""
    files = sorted((helm.charts / "monitoring" / "rules").glob("*.yaml"))
    return [rule for file in files for group in documents(file.read_text())[0]["groups"] for rule in group["rules"]]


def rendered(helm: Helm, profile: str, *arguments: str) -> list[dict[str, Any]]:
    """The rules that a profile installs."""
    objects = of_kind(helm.manifests("monitoring", profile, *arguments), "PrometheusRule")
    return [rule for each in objects for group in each["spec"]["groups"] for rule in group["rules"]]


def disabled(helm: Helm, profile: str) -> list[str]:
    file = helm.charts / "monitoring" / f"values-{profile}.yaml"
    return list(read_values(file).get("rules", {}).get("disabled", [])) if profile != "local" else []


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_has_every_rule_as_written_but_what_it_disables(helm: Helm, profile: str) -> None:
    expected = [rule for rule in written(helm) if rule.get("alert") not in disabled(helm, profile)]
    assert rendered(helm, profile) == expected


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_alerts_on_no_absence_of_what_it_does_not_scrape(helm: Helm, profile: str) -> None:
    monitors = {
        each["metadata"]["name"]
        for chart in ("monitoring", "logging")
        for kind in ("ServiceMonitor", "PodMonitor")
        for each in of_kind(helm.manifests(chart, profile), kind)
    }
    absent = {
        rule["alert"]: MONITORS.get(job, job)
        for rule in rendered(helm, profile)
        for job in re.findall(r'absent\(up\{job="([^"]+)"', rule["expr"])
    }
    assert len(absent) >= 4
    assert {alert: monitor for alert, monitor in absent.items() if monitor not in monitors} == {}


def test_links_get_their_bases(helm: Helm) -> None:
    alerts = [rule for rule in rendered(helm, "local", *BASES) if "alert" in rule]
    assert len(alerts) >= 60
    for alert in alerts:
        annotations = alert["annotations"]
        assert (
            annotations["runbook_url"] == f"https://git.example.org/main/helm/monitoring/runbooks/{alert['alert']}.md"
        )
        assert re.match(r"https://g\.example\.org/d/[\w-]+(\?|$)", annotations["dashboard_url"])


def test_a_group_without_an_alert_left_is_not_installed(helm: Helm) -> None:
    names = [rule["alert"] for rule in written(helm) if rule.get("alert", "").startswith("Volume")]
    words = [word for at, name in enumerate(names) for word in ("--set", f"rules.disabled[{at}]={name}")]
    names_of_objects = {
        each["metadata"]["name"] for each in of_kind(helm.manifests("monitoring", "local", *words), "PrometheusRule")
    }
    assert "volumes" not in names_of_objects
    assert "nodes" in names_of_objects


@pytest.mark.parametrize("name", ["NoSuchAlert", "Watchdo", "watchdog"])
def test_a_name_that_is_no_alerts_is_refused_with_the_cure(helm: Helm, name: str) -> None:
    result = helm.try_template("monitoring", "local", "--set", f"rules.disabled={{Watchdog,{name}}}")
    assert result.returncode != 0
    assert f"the chart monitoring has no alert {name}\n" in result.stderr
    assert f'found:    rules.disabled = ["Watchdog","{name}"]' in result.stderr
    assert "next:     correct the name" in result.stderr


def test_what_is_no_list_of_names_or_no_address_is_refused(helm: Helm) -> None:
    result = helm.try_template(
        "monitoring", "local", "--set", "rules.disabled={a b}", "--set", "rules.grafanaBaseUrl=grafana"
    )
    assert result.returncode != 0
    assert "at '/rules/disabled/0': 'a b' does not match pattern" in result.stderr
    assert "at '/rules/grafanaBaseUrl': 'grafana' does not match pattern" in result.stderr
