"""Two runs are the same where only time and place differ."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench.same_run import main, same_evidence, same_verdict
from tests.unit.report import samples

from sluice.domain import Evidence, Verdict, dump

RUN = samples.sound()
VERDICT = samples.verdict(RUN)
FIRST = VERDICT.objectives[0]


def first(values: tuple[Any, ...], **new: object) -> tuple[Any, ...]:
    """The same with another first."""
    return (replace(values[0], **new), *values[1:])


def later(run: Evidence) -> Evidence:
    """The same run on another day, on another host."""
    return replace(
        run,
        run_id="20261010T000000Z-ffff",
        started=run.started + 9000,
        ended=run.ended + 9500,
        components=tuple(replace(one, how="upstream", seconds=1.0, cached=False) for one in run.components),
        images=tuple(replace(one, repository=f"elsewhere/{one.name}") for one in run.images),
        steps=tuple(replace(one, started=one.started + 9000, seconds=one.seconds * 2) for one in run.steps),
        tests=tuple(replace(one, started=one.started + 9000, seconds=one.seconds * 2) for one in run.tests),
        measurements=tuple(
            replace(one, at=one.at + 9000, values=tuple(value * 0.9 for value in one.values))
            if one.objective == "p95-latency"
            else replace(one, at=one.at + 9000)
            for one in run.measurements
        ),
    )


WORST = "0.5 seconds, the worst of 5 series (service=audit), meets <= 5"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (WORST, "0.4 seconds, the worst of 6 series (service=sync), meets <= 5", True),
        (
            "0 failures (rule_group=/etc/a-b4e5.yaml;x), meets <= 0",
            "0 failures (rule_group=/c.yaml;x), meets <= 0",
            True,
        ),
        (WORST, "9 seconds (service=audit), fails <= 5", False),
        ("166 of 166 tests passed (a.py::b)", "166 of 166 tests passed (a.py::c)", False),
    ],
)
def test_which_series_was_the_worst_is_measured_and_what_is_said_of_it_is_not(one: str, other: str, same: bool) -> None:
    verdicts = [replace(VERDICT, objectives=first(VERDICT.objectives, reason=reason)) for reason in (one, other)]
    assert (same_verdict(*verdicts) == []) is same


def test_another_time_and_place_is_no_difference() -> None:
    other = later(RUN)
    assert samples.verdict(other) != VERDICT
    assert same_evidence(RUN, other) == []
    assert same_verdict(VERDICT, samples.verdict(other)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda run: replace(run, revision="0" * 12), "evidence revision: "),
        (lambda run: replace(run, images=first(run.images, digest="sha256:0")), "images backend"),
        (lambda run: replace(run, components=first(run.components, version="9")), "kind: "),
        (lambda run: replace(run, components=run.components[1:]), "evidence components kind: None and 0.33.0"),
        (lambda run: replace(run, tests=run.tests[1:]), "evidence tests "),
        (lambda run: replace(run, tests=first(run.tests, outcome="failed")), "failed and passed"),
        (lambda run: replace(run, steps=run.steps[1:]), "evidence steps "),
        (lambda run: replace(run, kubernetes="v1.35.0"), "evidence kubernetes: "),
        (lambda run: replace(run, partial="--fast"), "evidence partial: "),
    ],
)
def test_another_command_version_or_image_is_one(change: Callable[[Evidence], Evidence], told: str) -> None:
    found = same_evidence(change(RUN), RUN)
    assert len(found) == 1
    assert told in found[0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda one: replace(one, level="warn"), "verdict level: warn and pass"),
        (lambda one: replace(one, digests=("sha256:0",)), "verdict digests: "),
        (lambda one: replace(one, objectives=one.objectives[1:]), f"objective {FIRST.name} level: None and "),
        (lambda one: replace(one, flaky=("a test",)), "verdict flaky: "),
        (lambda one: replace(one, objectives=first(one.objectives, pass_criterion="<= 9")), " pass: "),
        (lambda one: replace(one, objectives=first(one.objectives, score=0.0)), " score: 0.0 and "),
        (lambda one: replace(one, objectives=first(one.objectives, reason="overridden")), " reason: "),
    ],
)
def test_another_judgement_is_one(change: Callable[[Verdict], Verdict], told: str) -> None:
    assert any(told in line for line in same_verdict(change(VERDICT), VERDICT))


def keep(folder: Path, run: Evidence) -> str:
    folder.mkdir()
    (folder / "evidence.json").write_bytes(dump(run))
    (folder / "verdict.json").write_bytes(dump(samples.verdict(run)))
    return str(folder)


def test_the_command_compares_two_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other, bad = (
        keep(tmp_path / name, run) for name, run in (("a", RUN), ("b", later(RUN)), ("c", samples.broken()))
    )
    assert main([one, other]) == 0
    assert "the same apart from time and place" in capsys.readouterr().out
    assert main([one, bad]) == 1
    assert "verdict level: pass and fail" in capsys.readouterr().out
    assert main([one, str(tmp_path / "none")]) == 2
    assert "cannot be read" in capsys.readouterr().err
