"""The shortened rules of the suites' cluster: they differ from the chart's in times only, and no cloud takes them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from .rendering import CLOUDS, REPOSITORY, Helm, chart_values, of_kind, read_values, run, tool

FOR, WINDOW = "7s", "40s"
SHORT = ("--set", f"rules.drill.for={FOR},rules.drill.window={WINDOW}")
MINUTES = re.compile(r"\[\d+m[:\]]")
SUITES = REPOSITORY / "tests" / "e2e" / "values" / "monitoring.yaml"


def rules(helm: Helm, *arguments: str) -> dict[str, dict[str, Any]]:
    """Each rule file's content by its name."""
    found = of_kind(helm.manifests("monitoring", "local", *arguments), "PrometheusRule")
    return {one["metadata"]["name"]: one["spec"] for one in found}


def flat(files: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, rule) for name, spec in files.items() for group in spec["groups"] for rule in group["rules"]]


def test_only_times_of_minutes_and_more_are_shortened(helm: Helm) -> None:
    """Objectives keep their windows: these are what they are about."""
    as_written, short = flat(rules(helm)), flat(rules(helm, *SHORT))
    assert any(MINUTES.search(rule["expr"]) for _, rule in as_written)
    assert any("for" in rule for _, rule in as_written)
    for (name, before), (_, after) in zip(as_written, short, strict=True):
        expected = dict(before)
        if not name.startswith("slo-"):
            expected["expr"] = re.sub(r"\[\d+m([:\]])", rf"[{WINDOW}\1", before["expr"])
        for key in ("for", "keep_firing_for"):
            if not before.get(key, "s").endswith("s"):
                expected[key] = FOR
        assert after == expected


def test_promtool_accepts_what_the_suites_cluster_gets(helm: Helm, tmp_path: Path) -> None:
    drill = read_values(SUITES)["rules"]["drill"]
    assert drill["for"]
    assert drill["window"]
    for name, spec in rules(helm, "--values", str(SUITES)).items():
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(spec), encoding="utf-8")
        result = run(tool("promtool"), "check", "rules", file)
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("profile", CLOUDS)
def test_no_cloud_has_shortened_rules(helm: Helm, profile: str) -> None:
    assert "drill" not in read_values(REPOSITORY / "helm" / "monitoring" / f"values-{profile}.yaml").get("rules", {})
    assert set(chart_values("monitoring")["rules"]["drill"].values()) == {""}
    for one in ("for", "window"):
        result = helm.try_template("monitoring", profile, "--set", f"rules.drill.{one}=10s")
        assert result.returncode != 0
        assert "alerts of rules that no test has seen" in result.stderr
        assert "next:     remove rules.drill" in result.stderr
