"""Parts of the mutants: together they are all, and no two have one in common."""

import sys

import pytest
from bench.gate_mutants import __main__ as command
from bench.gate_mutants.bench import part


@pytest.mark.parametrize("parts", [1, 3, 4, 50])
def test_all_parts_together_are_all_mutants_once(parts: int) -> None:
    found = [change.name for number in range(1, parts + 1) for change in part(command.MUTANTS, f"{number}/{parts}")]
    assert sorted(found) == sorted(change.name for change in command.MUTANTS)


def test_no_shard_is_all_of_them() -> None:
    assert part(command.MUTANTS, "") == list(command.MUTANTS)


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1", "1/", "/4", "a/b", "-1/4", "1/4/2"])
def test_what_is_no_part_is_refused_before_anything_runs(
    shard: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gate_mutants", f"--shard={shard}"])
    with pytest.raises(SystemExit) as stopped:
        command.main()
    assert stopped.value.code == 2
    assert f"--shard {shard}: expected N/M" in capsys.readouterr().err
