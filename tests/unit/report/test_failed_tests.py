"""Failed and flaky tests on the page: what was said, how often it was tried, and the files of their bundles."""

from dataclasses import replace

import pytest
from tests.unit.report import samples
from tests.unit.report.test_page import Page

from sluice.domain import Attempt, Evidence, Quarantined, TestResult
from sluice.report.page import render

SOUND = samples.sound()
AT = SOUND.tests[3].started
BUNDLE = "failure/tests/api-delete"
TEXTS = {
    f"{BUNDLE}/logs/backend.log": "a line of backend",
    f"{BUNDLE}/README.md": "It failed while backend restarted.",
    f"{BUNDLE}/events.txt": "Killing backend-1",
    f"{BUNDLE}-2/README.md": "of another",
    "failure/events.txt": "events of all",
    "failure/logs/default/backend/backend.log": "a whole log",
    "suites.log": "what pytest said",
}


def run(*changed: TestResult) -> Evidence:
    return replace(SOUND, tests=(*SOUND.tests[:3], *changed, *SOUND.tests[3 + len(changed) :]))


def failed(*attempts: Attempt, bundle: str = BUNDLE) -> TestResult:
    return replace(
        SOUND.tests[3],
        outcome="failed",
        message="AssertionError: 500 <b>is not</b> 204",
        request_ids=("e2e-1",),
        trace_ids=("4bf92f35", "00f067aa"),
        attempts=attempts,
        bundle=bundle,
    )


def html(evidence: Evidence, texts: dict[str, str] | None = None) -> str:
    return render(evidence, samples.verdict(evidence), TEXTS if texts is None else texts)


def section(evidence: Evidence, name: str, texts: dict[str, str] | None = None) -> Page:
    page = html(evidence, texts)
    return Page(page[page.index(f'<section id="{name}"') :].partition("</section>")[0] + "</section>")


def test_a_failed_test_is_told_with_its_message_ids_and_the_command_that_runs_it_again() -> None:
    found = section(run(failed()), "failed")
    assert found.said("h3") == ["✗1", "test_api.py::test_delete", "✗", "failed"]
    assert "AssertionError: 500 <b>is not</b> 204" in found.said("pre")
    assert {"e2e-1", "4bf92f35, 00f067aa", "./nox -s e2e -- --reuse --suite api"} <= set(found.said("code"))
    assert "Suite api, from 2:15 for 1.9 s" in found.text


def test_its_bundle_is_there_the_readme_first_and_no_other_tests() -> None:
    found = section(run(failed()), "failed")
    assert found.said("summary") == ["What was going on", "events.txt", "logs/backend.log"]
    assert "It failed while backend restarted." in found.text
    assert "of another" not in found.text
    assert "events of all" not in found.text


def test_what_is_in_no_bundle_is_among_the_logs_the_summaries_first() -> None:
    assert section(run(failed()), "logs").said("summary") == [
        "suites.log",
        "failure/events.txt",
        f"{BUNDLE}-2/README.md",
        "failure/logs/default/backend/backend.log",
    ]


def test_a_long_file_and_many_files_are_cut_and_said_so() -> None:
    found = section(run(failed()), "failed", {f"{BUNDLE}/f{n:02d}.log": "x" * 40_000 for n in range(20)})
    assert len(found.said("summary")) == 12
    assert "8 files more lie in its bundle." in found.text
    assert "24000 characters left out" in found.text


def test_each_try_of_a_failed_test_is_told() -> None:
    tries = (Attempt("failed", AT + 60, 2.0, "the same again"), Attempt("error", AT + 70, 2.0))
    found = section(run(failed(*tries)), "failed")
    for told in (
        "failed in its suite, from 2:15 for 1.9 s",
        "failed again, alone (1), from 3:15 for 2.0 s",
        "error again, alone (2), from 3:25 for 2.0 s",
    ):
        assert told in found.text
    assert "the same again" in found.said("pre")


def test_a_flaky_test_is_neither_failed_nor_a_plain_pass() -> None:
    evidence = run(failed(Attempt("passed", AT + 60, 2.0)))
    page = html(evidence)
    assert '<section id="failed"' not in page
    found = section(evidence, "flaky")
    assert found.said("h3") == ["test_api.py::test_delete", "!", "flaky"]
    assert "passed again, alone (1), from 3:15 for 2.0 s" in found.text
    assert "Tests: 1 flaky, 1 skipped, 40 passed" in Page(page).said("h2")
    assert "✗1" not in page


def test_failed_tests_are_numbered_as_they_ran_and_marked_in_every_plot() -> None:
    later = replace(SOUND.tests[4], outcome="error", started=AT - 1)
    page = html(run(failed(), later))
    assert section(run(failed(), later), "failed").said("h3")[1::4] == [
        "test_api.py::test_delete_twice",
        "test_api.py::test_delete",
    ]
    drawn = sum(bool(one.series) for one in SOUND.measurements)
    assert page.count("failed: tests/e2e/api/test_api.py::test_delete<") == drawn > 5


def test_a_suite_that_failed_is_open_and_the_others_are_folded() -> None:
    suites = [one for one in Page(html(run(failed()))).of("details") if one.get("class", "").startswith("suite")]
    assert len(suites) == len(SOUND.suites)
    assert ["open" in one for one in suites] == [True] + [False] * (len(SOUND.suites) - 1)


@pytest.mark.parametrize("count", [0, 41])
def test_very_many_failed_tests_are_counted(count: int) -> None:
    tests = tuple(replace(failed(bundle=""), id=f"t::{n}", started=AT + n) for n in range(count))
    page = html(replace(SOUND, tests=tests or SOUND.tests))
    assert ("1 failed tests more are in the tables" in page) == (count > 40)
    assert ('<section id="failed"' in page) == (count > 0)


def test_a_test_in_quarantine_says_whose_it_is_and_until_when() -> None:
    entry = Quarantined(SOUND.tests[3].id, "ada", "waits for #12", AT + 86_400)
    found = section(replace(run(failed()), quarantine=(entry,)), "failed")
    assert "In quarantine : until 2025-10-10 08:55:35 UTC, ada: waits for #12" in found.text
    assert "In quarantine" not in section(run(failed()), "failed").text


def test_a_failed_test_without_a_time_is_told_too() -> None:
    evidence = run(replace(failed(), started=float("nan")))
    assert "test_api.py::test_delete" in section(evidence, "failed").said("h3")
