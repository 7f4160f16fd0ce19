"""The head of the page: what the run was, and whether it speaks of a release."""

from dataclasses import replace

from tests.unit.report import samples
from tests.unit.report.test_page import page

SOUND = samples.sound()


def test_a_part_of_the_tests_is_told_as_no_verdict_on_a_release() -> None:
    assert "No verdict on a release" not in page(SOUND).text
    assert "No verdict on a release smoke tests only" in page(replace(SOUND, partial="smoke tests only")).text


def test_it_is_said_whether_prometheus_is_believed() -> None:
    assert "Prometheus clock 0 s off, longest gap 15 s, started again 0 times" in page(SOUND).text
    assert "longest gap" not in page(replace(SOUND, monitoring=None)).text
