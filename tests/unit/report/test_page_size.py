"""The page stays small and quick, whatever a run throws at it."""

import math
import time
from dataclasses import replace

from tests.unit.report import samples

from sluice.domain import Evidence, Measurement, Series, TestResult
from sluice.report.page import LARGEST_BYTES, render

SOUND = samples.sound()


def _huge() -> Evidence:
    """Far more of everything than a run has, and all of it hostile to the size."""
    message = "&" * 5000
    tests = tuple(
        TestResult(
            f"tests/e2e/s{n % 3}/test_x.py::test_{n}",
            f"s{n % 3}",
            "failed",
            samples.STARTED + n,
            1.0,
            message,
        )
        for n in range(900)
    )
    series = tuple(
        Series({"pod": f"p{k}"}, tuple((samples.STARTED + at, math.sin(at + k)) for at in range(400))) for k in range(9)
    )
    measurements = tuple(
        Measurement(f"m{n}", "promql", message, "u", samples.STARTED, 5.0, (1.0,), 5, message, series)
        for n in range(45)
    )
    return replace(SOUND, tests=tests, measurements=measurements, failures=(message,) * 300)


def test_a_huge_run_stays_below_the_limit_and_says_what_is_left_out() -> None:
    evidence = _huge()
    html = render(evidence, samples.verdict(evidence), {f"log{n}": "&" * 70_000 for n in range(40)})
    assert len(html.encode()) < LARGEST_BYTES
    for told in (
        "characters left out",
        "tests more are in evidence.json",
        "measurements more are in evidence.json",
        "logs more lie beside evidence.json",
    ):
        assert told in html


def test_two_hundred_tests_are_rendered_in_less_than_a_second() -> None:
    tests = tuple(replace(SOUND.tests[n % 30], id=f"tests/e2e/api/test_api.py::test_{n}") for n in range(200))
    evidence = replace(SOUND, tests=tests)
    verdict = samples.verdict(evidence)
    began = time.perf_counter()
    html = render(evidence, verdict, {})
    assert time.perf_counter() - began < 1.0
    assert len(html.encode()) < LARGEST_BYTES
