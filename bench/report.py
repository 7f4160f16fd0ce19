"""How long the report takes: to be rendered by us, and to be read, laid out and painted by a headless Chromium.

Runs of 200 and of 500 tests that are made up (five dashboards of twelve panels with eight lines each), or the folders
of runs that are named. Each figure is the median of several rounds, by the clock and in seconds of a processor: the
latter are what a machine that does nothing else would take. Prints a table; needs Chromium for the second half.
"""

import argparse
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "ci" / "src")]

from playwright.sync_api import Browser, sync_playwright  # noqa: E402
from tests.unit.dashboards import samples as boards  # noqa: E402
from tests.unit.report import samples  # noqa: E402

from sluice.dashboards import DashboardData  # noqa: E402
from sluice.domain import Evidence, Series, Verdict, load  # noqa: E402
from sluice.report.page import render  # noqa: E402

Drawing = Callable[[], str]
# From the start of the navigation to the end of the first frame: read, styled, laid out, painted.
_PAINTED = """() => new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"""
_UNFOLDED = """() => {
    const began = performance.now();
    document.querySelectorAll('details').forEach(one => one.open = true);
    document.documentElement.getBoundingClientRect();
    return performance.now() - began;
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, help="folders of runs, such as .sluice/latest")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured (default 7)")
    asked = parser.parse_args()
    cases = [real(run) for run in asked.runs] or [made_up(count) for count in (200, 500)]
    path = os.environ.get("SLUICE_CHROMIUM") or shutil.which("chromium")
    print(f"{'':<28}{'':>6}{'rendered':>20}{'painted':>20}{'unfolded':>20}")
    print(f"{'run':<28}{'MB':>6}" + 3 * f"{'clock':>10}{'CPU':>10}")
    for name, draw in cases:
        page, took = rendered(draw, asked.rounds)
        took += shown(page, path, asked.rounds)
        print(f"{name:<28}{len(page.encode()) / 1e6:>6.2f}{''.join(f'{one:>8.2f} s' for one in took)}")


def made_up(count: int) -> tuple[str, Drawing]:
    """A run of so many tests, one of fifty failed, with dashboards."""
    run = samples.sound()
    tests = tuple(
        replace(
            run.tests[number % 30],
            id=f"tests/e2e/{run.tests[number % 30].suite}/test_x.py::test_number_{number}",
            started=samples.SUITES_FROM + 80 * number / count,
            outcome="failed" if number % 50 == 7 else "passed",
            message="AssertionError: expected 204, got 500\n" * 10 if number % 50 == 7 else "",
        )
        for number in range(count)
    )
    evidence = replace(run, tests=tests)
    verdict = samples.verdict(evidence)
    texts = {f"failure/logs/default/pod-{number}/app.log": "a line of a log\n" * 4000 for number in range(30)}
    panels = list(made_up_dashboards(evidence))
    return f"{count} tests", lambda: render(evidence, verdict, texts, dashboards=panels)


def made_up_dashboards(run: Evidence) -> Iterator[DashboardData]:
    """Five dashboards of twelve panels with eight lines of 250 points."""
    data = boards.data()
    step = (run.ended - run.started) / 250
    for board in range(5):
        lines = tuple(
            Series(
                {"legend": f"line {line}"},
                tuple((run.started + step * at, 2 + math.sin(at / 9 * (line + 1))) for at in range(250)),
            )
            for line in range(8)
        )
        panel = replace(data.panels[0], series=lines)
        dashboard = replace(data.dashboard, uid=f"d{board}", title=f"Dashboard {board}")
        yield replace(data, dashboard=dashboard, start=run.started, end=run.ended, panels=(panel,) * 12)


def real(folder: Path) -> tuple[str, Drawing]:
    """A run that was."""
    evidence, verdict = load(Evidence, folder / "evidence.json"), load(Verdict, folder / "verdict.json")
    texts = {
        name: (folder / name).read_text(encoding="utf-8", errors="replace")[-64_000:]
        for name in evidence.files
        if name.endswith((".log", ".txt")) and (folder / name).is_file()
    }
    panels = [load(DashboardData, path) for path in sorted((folder / "dashboards").glob("*.json"))]
    name = f"{evidence.run_id[-4:]}, {len(evidence.tests)} tests"
    return name, lambda: render(evidence, verdict, texts, dashboards=panels)


def rendered(draw: Drawing, rounds: int) -> tuple[str, list[float]]:
    """The page, and the medians of the seconds that rendering it took."""
    took = []
    page = ""
    for _ in range(rounds):
        clock, cpu = time.perf_counter(), time.process_time()
        page = draw()
        took.append((time.perf_counter() - clock, time.process_time() - cpu))
    return page, medians(took)


def medians(rows: Sequence[Sequence[float]]) -> list[float]:
    """The median of each column."""
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def shown(page: str, path: str | None, rounds: int) -> list[float]:
    """The medians of the seconds until it is painted, and that unfolding all of it takes; none without Chromium."""
    if not path:
        return []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "report.html"
        file.write_text(page, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        found = [_visit(browser, file) for _ in range(rounds)]
        browser.close()
    return medians(found)


def _visit(browser: Browser, file: Path) -> tuple[float, float, float, float]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy() -> float:
        """Seconds of a processor that the page's main thread has taken."""
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    page.goto(file.as_uri(), wait_until="load")
    painted = float(page.evaluate(_PAINTED)) / 1000
    read = busy()
    unfolded = float(page.evaluate(_UNFOLDED)) / 1000
    opened = busy() - read
    page.close()
    return painted, read, unfolded, opened


if __name__ == "__main__":
    main()
