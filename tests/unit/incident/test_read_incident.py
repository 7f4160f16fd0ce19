"""A run's folder as a timeline: from its evidence and the files of its failed tests, with nobody to ask."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.incident.runs import END, FAILED, RUN, START, measured, of, told, write

from sluice.domain import Attempt, Monitoring, Series, dump
from sluice.errors import EvidenceError
from sluice.incident.model import Burnt
from sluice.incident.window import Window
from sluice.steps.read_incident import read_run


def test_failed_tests_and_steps_and_what_broke_the_run(tmp_path: Path) -> None:
    found = of(tmp_path, replace(RUN, tests=(replace(FAILED, attempts=(Attempt("passed", START, 1.0),)),)))
    assert told(found, "test") == [(60.0, "failed; again: passed", FAILED.id)]
    assert [one.more for one in found.timeline if one.kind == "test"] == ["assert 1 == 2"]
    assert (900.0, "the step ended failed", "run suites") in told(found, "run")
    assert ("what broke the run", "the suites failed") in found.facts


def test_what_a_run_cannot_know_is_said(tmp_path: Path) -> None:
    assert [one.what for one in of(tmp_path).missing] == [
        "promotions (the ledger)",
        "times without a failed test",
        "events around failed tests",
        "alerts around failed tests",
        "warnings around failed tests",
        "what the run's files leave out",
    ]


def test_alerts_of_several_tests_are_one_where_they_overlap_and_midnight_is_passed(tmp_path: Path) -> None:
    write(tmp_path, "tests/a/alerts.txt", "firing   Down  23:45:00 to 23:50:00  service=backend\n")
    text = "firing   Down  23:49:00 to 23:55:00; 00:10:00 to 00:11:00  service=backend\n"
    text += "pending  Slow  00:20:00 to 00:20:15  \n"
    write(tmp_path, "tests/b/alerts.txt", text)
    found = of(tmp_path)
    assert told(found, "alert") == [
        (900.0, "Down fires", "service=backend"),
        (2400.0, "Down fires", "service=backend"),
        (3000.0, "Slow is pending", ""),
    ]
    assert next(one.until for one in found.timeline if one.kind == "alert") == START + 1500


def test_events_of_the_run_and_of_its_tests_count_once(tmp_path: Path) -> None:
    line = "1970-01-01T23:40:00.000Z Warning default/Pod/b-1 BackOff: restarting (3 times)\n"
    write(tmp_path, "events.txt", line)
    write(tmp_path, "tests/a/events.txt", line + "what the alert says\n")
    assert told(of(tmp_path), "kubernetes") == [(600.0, "BackOff, 3 times up to then", "default/Pod/b-1")]


def test_lines_of_several_tests_count_once_and_five_are_a_spike(tmp_path: Path) -> None:
    lines = [f"1970-01-01T23:40:{second:02}.000Z ERROR    default/b-1/main: no\n" for second in range(5)]
    write(tmp_path, "tests/a/warnings.log", "".join(lines))
    write(tmp_path, "tests/b/warnings.log", "".join(lines[:4]) + "1970-01-01T23:41:00.000Z INFO     x/y/z: yes\n")
    assert told(of(tmp_path), "log spike") == [(600.0, "5 lines of level ERROR, up to 5 a minute", "default/b-1/main")]
    write(tmp_path, "tests/a/warnings.log", "".join(lines[:4]))
    assert told(of(tmp_path), "log spike") == []


def test_what_the_gate_measured_is_told_too(tmp_path: Path) -> None:
    plot = Series({}, ((START + 10, 0.0), (START + 20, 3.0), (START + 30, 1.0), (START + 40, 0.0)))
    restarts = Series({}, ((START + 10, 0.0), (START + 20, 2.0)))
    budgets = measured(
        "slo",
        'slo:period_error_budget_remaining:ratio{namespace="default"}',
        names=("service=backend slo=latency",),
        values=(0.25,),
    )
    logs = measured("logql", "sum(x)", series=(plot,))
    up = measured("promql", "sum(kube_pod_container_status_restarts_total)", series=(restarts,))
    found = of(tmp_path, replace(RUN, measurements=(logs, up, budgets, measured("promql", "up", series=(restarts,)))))
    assert told(found, "log spike") == [(20.0, "up to 3 lines in a point of its plot", "objective what")]
    assert told(found, "restart") == [(20.0, "2 containers started again", "objective what")]
    assert found.burnt == (Burnt("backend", "latency", None, None, None, 0.25),)


def test_when_suites_ran_and_when_prometheus_was_started(tmp_path: Path) -> None:
    later = replace(FAILED, id="b", outcome="passed", started=START + 500, seconds=50.0)
    facts = Monitoring(START + 10, END, starts=(START - 5, START + 700))
    found = of(tmp_path, replace(RUN, tests=(later, FAILED), monitoring=facts))
    (suite,) = (one for one in found.timeline if one.where == "suite api")
    assert (suite.at, suite.until) == (START + 60, START + 550)
    assert told(found, "restart") == [(700.0, "Prometheus was started", "Prometheus")]


def test_only_what_lies_in_the_time_is_told(tmp_path: Path) -> None:
    assert told(of(tmp_path, when=Window(START + 61, END)), "test") == []


def test_it_is_masked_once_more(tmp_path: Path) -> None:
    found = of(tmp_path, replace(RUN, tests=(replace(FAILED, message="password=abc123"),)))
    assert "abc123" not in repr(found)


def test_a_folder_without_evidence_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="cannot be read"):
        read_run(tmp_path)
    (tmp_path / "evidence.json").write_bytes(dump(RUN))
    assert read_run(tmp_path).run_id == RUN.run_id
    assert json.loads(dump(of(tmp_path)))["schema"] == "sluice.incident/v1"
