"""Generated files: written once, the same every time, and drift is named."""

from pathlib import Path

import pytest
import yaml
from tests.unit.slo.trees import SLO, tree
from typer.testing import CliRunner

from sluice.entrypoints.cli import app
from sluice.errors import SloError
from sluice.slo.files import check, write

RULES = Path("helm/monitoring/rules/slo-kettle.yaml")
TESTS = Path("helm/monitoring/rules/tests/slo-kettle.test.yaml")


def drift(root: Path) -> str:
    with pytest.raises(SloError) as caught:
        check(root)
    return str(caught.value)


def test_what_is_written_is_as_it_should_be(tmp_path: Path) -> None:
    assert write(tree(tmp_path)) == [RULES, TESTS]
    assert write(tmp_path) == []
    assert check(tmp_path) == 2


def test_a_change_on_either_side_is_drift_and_mended(tmp_path: Path) -> None:
    write(tree(tmp_path))
    (tmp_path / RULES).write_text((tmp_path / RULES).read_text().replace("interval: 30s", "interval: 9s"))
    (tmp_path / TESTS).unlink()
    told = drift(tmp_path)
    assert f"{RULES}:4 differs" in told
    assert f"{TESTS} is missing" in told
    assert "next:     ./nox -s slo" in told
    write(tmp_path)
    tree(tmp_path, SLO.replace("0.999", "0.99"))
    assert f"{RULES}:6 differs" in drift(tmp_path)


def test_what_nothing_generates_is_left_over(tmp_path: Path) -> None:
    write(tree(tmp_path))
    (tmp_path / "services" / "kettle" / "slo.yaml").unlink()
    assert f"{RULES} is left over" in drift(tmp_path)
    assert write(tmp_path) == [RULES, TESTS]
    assert not (tmp_path / RULES).exists()
    assert check(tmp_path) == 0


def test_both_kinds_of_ratio_make_whole_rules(tmp_path: Path) -> None:
    """Each rule is a recording or an alert of this SLO, and no placeholder is left."""
    for text in (SLO, SLO.replace("        bad:", "        good:")):
        write(tree(tmp_path, text))
        written = (tmp_path / RULES).read_text(encoding="utf-8")
        (group,) = yaml.safe_load(written)["groups"]
        assert group["name"] == "slo-kettle"
        assert ".window" not in written
        for rule in group["rules"]:
            assert (rule["labels"]["service"], rule["labels"]["slo"]) == ("kettle", "availability")
        names = [rule["record"] for rule in group["rules"] if "record" in rule]
        windows = [name.removeprefix("slo:sli_error:ratio_rate") for name in names if ":ratio_rate" in name]
        assert windows == ["5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"]
        alerts = [(rule["alert"], rule["labels"]["window"]) for rule in group["rules"] if "alert" in rule]
        fast, slow = "ErrorBudgetBurnFast", "ErrorBudgetBurnSlow"
        assert alerts == [(fast, "1h"), (fast, "6h"), (slow, "1d"), (slow, "3d")]


def test_the_command_writes_and_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree(tmp_path))
    run = CliRunner()
    assert run.invoke(app, ["slo", "--check"]).exit_code == 2
    assert run.invoke(app, ["slo"]).exit_code == 0
    assert run.invoke(app, ["slo", "--check"]).exit_code == 0
