"""release/README.md: it has every key, and its examples are what the gate reads."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from sluice.policy import Baselines, Objective, Policy, Trust, load_overrides, load_policy, load_quarantine
from sluice.promotion.approvals import load_approvals

README = (Path(__file__).parents[3] / "release" / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
NAMES = {"pass_criterion": "pass", "warn_criterion": "warn", "objectives": "[[objective]]", "baselines": "[baselines]"}


@pytest.mark.parametrize("kind", [Policy, Objective, Baselines, Trust])
def test_every_key_is_explained(kind: type) -> None:
    for field in fields(kind):
        name = "[prometheus]" if field.name == "prometheus" else NAMES.get(field.name, field.name)
        assert f"`{name}`" in README or f"\n{name} = " in README, f"{name} of {kind.__name__}"


def test_the_examples_are_read_as_they_stand(tmp_path: Path) -> None:
    objectives, baselines, prometheus, overrides, quarantine, approvals = BLOCKS
    path = tmp_path / "some.toml"
    path.write_text(
        'schema = "sluice.policy/v1"\nrequired_suites = ["api"]\n' + baselines + prometheus + objectives,
        encoding="utf-8",
    )
    policy = load_policy(path)
    assert [one.name for one in policy.objectives] == ["known-vulnerabilities", "burn"]
    assert policy.baselines == Baselines()
    assert policy.prometheus == Trust(restarts_by=("tests/e2e/resilience/",))
    path.write_text(overrides, encoding="utf-8")
    known = Objective("error-logs", "logql", "q", "lines", policy.objectives[0].pass_criterion)
    assert [one.who for one in load_overrides(path, [known], now=0.0)] == ["Ada Lovelace"]
    path.write_text(quarantine, encoding="utf-8")
    assert len(load_quarantine(path, now=0.0)) == 1
    path.write_text(approvals, encoding="utf-8")
    assert len(load_approvals(path, ["gke"], now=0.0)) == 1
