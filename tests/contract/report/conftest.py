"""The report in a headless Chromium of this host: https://playwright.dev/python/docs/api/class-browsertype#browser-type-launch."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.unit.dashboards import samples as boards
from tests.unit.report import samples

from sluice.domain import Attempt, Evidence, SuiteTable
from sluice.report.page import render

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE, DESK = (360, 740), (1280, 900)


def chromium() -> str:
    """Where this host's Chromium is; the test is skipped where it has none."""
    found = os.environ.get("SLUICE_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if not found:
        pytest.skip("no Chromium on PATH or in SLUICE_CHROMIUM: apt-get install chromium")
    return found


def start(path: str) -> dict[str, Any]:
    """How Chromium is started: as root it has no sandbox to start in."""
    return {"executable_path": path, "args": ["--no-sandbox"] if os.geteuid() == 0 else []}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(**start(path))
        yield found
        found.close()


def sound() -> Evidence:
    """A run that passes, with a table of a suite."""
    table = SuiteTable("panels", "Panels and their data", ("Panel", "Data"), (("Requests", "3 series"),) * 3, "A note.")
    return replace(samples.sound(), tables=(table,))


def broken() -> Evidence:
    """A run that fails, with a failed test that has a bundle and a flaky one."""
    run = samples.broken()
    tests = list(run.tests)
    again = (Attempt("failed", tests[3].started + 60, 1.0, "the same"),)
    tests[3] = replace(tests[3], attempts=again, bundle="failure/tests/delete", trace_ids=("4bf92f35",))
    tests[9] = replace(
        tests[9], outcome="failed", message="once", attempts=(Attempt("passed", tests[9].started + 90, 1.0),)
    )
    return replace(run, tests=tuple(tests))


TEXTS = {
    "failure/tests/delete/README.txt": "What was going on, in words.\n" * 12,
    "failure/tests/delete/requests.log": "a line of a log that is rather long and has no end at all " * 40,
    "suites.log": "what pytest said\n" * 400,
}
RUNS = {"sound": sound, "broken": broken}


@dataclass(frozen=True)
class Report:
    """A report in a browser, and what the page asked for and said while it was open."""

    page: Page
    url: str
    asked: list[str]
    said: list[str]

    def unfold(self) -> None:
        """Open everything that is folded."""
        self.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of each run."""
    folder = tmp_path_factory.mktemp("reports")
    found = {}
    for name, run in RUNS.items():
        evidence = run()
        data = replace(boards.data(), start=evidence.started, end=evidence.ended)
        found[name] = folder / f"{name}.html"
        found[name].write_text(render(evidence, samples.verdict(evidence), TEXTS, dashboards=[data]), encoding="utf-8")
    return found


@pytest.fixture
def report(browser: Browser, files: dict[str, Path], request: pytest.FixtureRequest) -> Iterator[Report]:
    """A run's report at a width and in a scheme: parametrize `report` indirectly with these three."""
    name, (width, height), scheme = request.param
    # axe-core is put into the page by the test, which the page's own policy would refuse.
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True
    )
    page = context.new_page()
    url = files[name].as_uri()
    shown = Report(page, url, [], [])
    context.on("request", lambda one: shown.asked.append(one.url))
    page.on("console", lambda one: shown.said.append(f"{one.type}: {one.text}"))
    page.on("pageerror", lambda one: shown.said.append(str(one)))
    page.goto(url)
    yield shown
    context.close()
