"""Results survive a stop, and the page says what came of every release."""

from pathlib import Path

import pytest
from bench.gate_mutants import results
from bench.gate_mutants.faults import Change
from bench.gate_mutants.table import render
from tests.unit.bench.samples import result


def test_what_is_appended_is_read_back_the_newest_of_each_name(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "results.jsonl"
    assert results.read(file) == []
    first, second = result("a", "missed"), result("b", "caught", first="x", objectives=("p95", "up"), to_first=1.5)
    again = result("a", "caught")
    for one in (first, second, again):
        results.append(file, one)
    assert results.read(file) == [again, second]


def test_what_a_kill_cut_short_is_left_out_and_gone_with_the_next_result(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    results.append(file, result("a", "caught"))
    whole = file.read_text()
    file.write_text(whole + whole[:50])
    assert [one.name for one in results.read(file)] == ["a"]
    results.append(file, result("b", "caught"))
    assert [one.name for one in results.read(file)] == ["a", "b"]


@pytest.mark.parametrize("line", ["{", "[]", '{"name": "a"}'])
def test_a_line_that_is_no_result_is_told(tmp_path: Path, line: str) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(f"{line}\n")
    with pytest.raises(results.ResultsBroken, match="line 1 is no result"):
        results.read(file)


def test_what_was_not_judged_is_to_be_run_again() -> None:
    found = [result("a", "caught"), result("b", "not judged"), result("c", "missed"), result("d", "failed", "healthy")]
    assert results.done(found) == {"a", "c", "d"}


def test_the_page_has_every_outcome_in_its_own_table() -> None:
    caught = result("leak", "caught", first="api/x::y", found="objective memory", objectives=("suites", "memory", "up"))
    found = [
        caught,
        result("odd", "caught by chance", first="api/x::flaky"),
        result("quiet", "missed", reason="pass, score 100 | all"),
        result("typo", "caught", "check", found="tests/rules/test_x.py::y"),
        result("fine", "passed", "healthy", score=100.0, to_verdict=200.0),
        result("sad", "failed", "healthy", reason="p95 is 2 s"),
        result("broken", "not judged", reason="no network"),
    ]
    page = render(found, [Change("leak", ""), Change("never-run", "")])
    sections = dict(part.split("\n", 1) for part in page.split("## ")[1:])
    assert (
        "| leak | what leak is | `objective memory` | `api/x::y`, up | 0 s | 0 s |"
        in sections["Caught by the gate on the cluster"]
    )
    assert "`api/x::flaky`" in sections["Failed, but for something else than was expected"]
    assert "`tests/rules/test_x.py::y`" in sections["Caught by the checks that need no cluster (`./nox -s tests`)"]
    assert "| quiet | what quiet is | not known yet | pass, score 100 \\| all |" in sections["Missed"]
    assert "| fine | what fine is | pass, score 100 | 200 s |" in sections["Healthy releases"]
    assert "**failed**: p95 is 2 s" in sections["Healthy releases"]
    assert "no network" in sections["Not judged"]
    assert "**1 of 3 mutants were caught by the gate**, 1 of 1 by the checks" in page
    assert "**1 of 2 healthy releases passed**" in page
    assert "Never run: `never-run`." in page
    # Each release stands in one table.
    assert [page.count(f"| {one.name} |") for one in found] == [1] * len(found)


def test_a_page_of_nothing_says_so() -> None:
    page = render([], [Change("a", "")])
    assert "**0 of 0 mutants" in page
    assert "Never run: `a`." in page
    assert "##" not in page
