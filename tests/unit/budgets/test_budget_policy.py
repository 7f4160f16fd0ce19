"""release/error-budget.toml: its stages, its mistakes, the gate's objective beside it, and the page that tells it."""

import re
from pathlib import Path

import pytest

from sluice.budgets.stages import FILE, load_budget_policy
from sluice.errors import PolicyError
from sluice.policy import Policy, load_policy

ROOT = Path(__file__).parents[3]
POLICY = load_policy(ROOT / "release" / "policy.toml")
STAGES = load_budget_policy(ROOT, POLICY)
HEAD = 'schema = "sluice.error-budget/v1"\n'


def load(tmp_path: Path, text: str, policy: Policy = POLICY) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / FILE).write_text(HEAD + text, encoding="utf-8")
    load_budget_policy(tmp_path, policy)


def stage(name: str = "a", spent: str = "0.5", more: str = "") -> str:
    return f'[[stage]]\nname = "{name}"\nspent = {spent}\nthen = "Something."\n{more}'


@pytest.mark.parametrize(
    ("spent", "name"),
    [
        (None, ""),
        (-0.2, ""),
        (0.0, ""),
        (0.4999, ""),
        (0.5, "watch"),
        (0.7499, "watch"),
        (0.75, "slow-down"),
        (0.9999, "slow-down"),
        (1.0, "freeze"),
        (0.9999999999999999, "freeze"),
        (7.5, "freeze"),
    ],
)
def test_the_stage_of_what_is_spent(spent: float | None, name: str) -> None:
    found = STAGES.stage(spent)
    assert (found.name if found else "") == name


def test_the_page_tells_what_the_file_says() -> None:
    page = (ROOT / "docs" / "error-budget-policy.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([a-z-]+)` \| (\d+) % \| (.*) \|$", page, re.MULTILINE)
    assert told == [(one.name, f"{100 * one.spent:g}", one.then) for one in STAGES.stages]


def test_the_gate_acts_by_the_last_stage() -> None:
    assert STAGES.stages[-1].objective == "error-budget"


def test_a_gate_with_another_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as error:
        load(tmp_path, stage(spent="0.9", more='objective = "error-budget"\n'))
    assert 'line 6: stage "a" objective: it passes with >= 0 left, and 0.9 spent leaves 0.1' in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "stage: is missing"),
        ("stage = []\n", "is empty"),
        (stage(spent="0"), "spent: should be greater than 0"),
        (stage() + stage("b", "0.5"), 'line 8: stage "b" spent: 0.5 is not above 0.5'),
        (stage() + stage("a", "0.6"), "another stage has this name too"),
        (stage(more='objective = "no-such"\n'), "release/policy.toml has no such objective"),
        (stage(more='objective = "memory"\n'), "expected budget_left of kind slo"),
        (stage(more='colour = "red"\n'), "no such key"),
        (stage(spent='"half"'), "spent"),
        ("[[stage]\n", "line 2"),
    ],
)
def test_each_mistake_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PolicyError) as error:
        load(tmp_path, text)
    assert said in str(error.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as error:
        load(tmp_path, stage("A", "-1") + stage("b", "0.5", 'objective = "x"\n'))
    assert len(error.value.mistakes) == 3


def test_a_tree_without_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        load_budget_policy(tmp_path, POLICY)
