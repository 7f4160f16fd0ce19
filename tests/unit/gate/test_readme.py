"""release/README.md: its examples are what the gate reads. Its keys: docs/reference/policy.md."""

import re
from pathlib import Path

from sluice.policy import Baselines, Objective, Trust, load_overrides, load_policy, load_quarantine
from sluice.promotion.approvals import load_approvals

README = (Path(__file__).parents[3] / "release" / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)


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
