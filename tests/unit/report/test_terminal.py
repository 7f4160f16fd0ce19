"""The tables of the terminal, as text of a given width."""

import io
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType
from tests.unit.report import samples

from sluice.domain import Attempt, TestResult
from sluice.report.terminal import components_table, failed_tests, steps_table, verdict_table

SOUND, BROKEN = samples.sound(), samples.broken()


def printed(what: RenderableType, width: int = 160) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_each_objective_is_shown_with_value_criterion_score_and_reason() -> None:
    lines = printed(verdict_table(samples.verdict(SOUND)))
    found = next(line.split("  ") for line in lines if line.startswith("error-ratio"))
    cells = [cell.strip() for cell in found if cell.strip()]
    assert cells == [
        "error-ratio (key)",
        "✓ pass",
        "0.21 %",
        "≤ 1 %",
        "3/3",
        "0.0021 ratio, the worst of 2 series, meets <= 0.01",
    ]
    assert any("warn ≤ 1 s" in line for line in lines)
    assert not any("Why" in line for line in lines)


def test_what_stands_against_a_run_is_told_below_the_table() -> None:
    lines = printed(verdict_table(samples.verdict(BROKEN)))
    why = lines[lines.index("Why fail:") :]
    assert " - step 'run suites': failed after 82.4 s" in why
    assert "     seen:     CrashLoopBackOff, exit 1, 4 restarts" in why, "further lines of a reason are indented"
    assert " - rules-healthy: 0 measurements, expected 1" in why


def test_each_failed_test_is_told_with_what_it_said_first_and_what_became_of_it() -> None:
    said = "AssertionError: no line\nassert [] == ['one']\n\n  Right contains more\nfurther\nat test.py:7"
    again = Attempt("passed", 3.0, 1.0, "")
    failed = TestResult("tests/e2e/logs/test_a.py::test_a", "logs", "failed", 1.0, 2.0, said, bundle="failure/tests/a")
    flaky = replace(failed, id="tests/e2e/logs/test_b.py::test_b", started=0.5, attempts=(again,), bundle="")
    lines = printed(failed_tests(replace(SOUND, tests=(*SOUND.tests, failed, flaky))))
    assert lines[1:] == [
        "What the tests said:",
        " - tests/e2e/logs/test_b.py::test_b: failed, then passed",
        "   AssertionError: no line",
        "   assert [] == ['one']",
        "",
        "     Right contains more",
        " - tests/e2e/logs/test_a.py::test_a: failed",
        "   AssertionError: no line",
        "   assert [] == ['one']",
        "",
        "     Right contains more",
        "   read failure/tests/a/README.txt",
    ]


def test_of_many_failed_tests_the_first_are_told() -> None:
    failed = [TestResult(f"t.py::test_{n}", "logs", "failed", float(n), 1.0, "x" * 400) for n in range(8)]
    lines = printed(failed_tests(replace(SOUND, tests=tuple(failed))))
    assert lines[-1] == " - and 3 more, in report.html"
    assert sum(line.startswith(" - t.py::test_") for line in lines) == 5
    assert "".join(lines).count("x") == 5 * 300


def test_where_no_test_failed_nothing_is_told() -> None:
    assert printed(failed_tests(SOUND)) == []


def test_nothing_from_outside_steers_the_terminal_or_is_taken_for_markup() -> None:
    verdict = samples.verdict(BROKEN)
    hostile = replace(verdict, reasons=("[bold]kept[/bold] [/] \x1b[2J\x1b]0;t\x07done",))
    text = "\n".join(printed(verdict_table(hostile)))
    assert "[bold]kept[/bold] [/] done" in text
    assert "\x1b[2J" not in text
    assert "\x07" not in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_tables_fit_narrow_terminals(width: int) -> None:
    for table in (verdict_table(samples.verdict(BROKEN)), steps_table(SOUND), components_table(SOUND)):
        assert max(len(line) for line in printed(table, width)) <= width


def test_steps_are_shown_in_the_order_of_their_starts() -> None:
    lines = printed(steps_table(BROKEN))
    assert [line.split("  ")[0] for line in lines[2:5]] == [
        "resolve source",
        "supply cluster",
        "supply images",
    ]
    assert any(line.startswith("run suites") and "✗ failed" in line and "2:12" in line for line in lines)
    assert any(line.startswith("gather failure") and "– cancelled" in line for line in lines)


def test_components_are_shown_by_name_with_version_how_size_and_seconds() -> None:
    lines = printed(components_table(SOUND))
    names = [line.split()[0] for line in lines[2:]]
    assert names == sorted(component.name for component in SOUND.components)
    loki = next(line.split() for line in lines if line.startswith("loki"))
    assert loki == ["loki", "3.7.8", "source", "157", "MB", "4", "min", "54", "s", "cached"]


def test_a_list_is_shown_as_the_evidence_is() -> None:
    assert printed(components_table(SOUND.components)) == printed(components_table(SOUND))
    assert printed(steps_table(list(SOUND.steps))) == printed(steps_table(SOUND))


def test_nothing_at_all_is_shown_too() -> None:
    assert printed(components_table(()))
    assert printed(steps_table(()))
