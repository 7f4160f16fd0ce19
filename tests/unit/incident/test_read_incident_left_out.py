"""A run's folder as a timeline: what is left out, and where one thing ends and the next begins."""

from dataclasses import replace
from pathlib import Path

from tests.unit.incident.runs import DAY, END, FAILED, RUN, START, measured, of, told, write

from sluice.domain import Monitoring, Series
from sluice.incident.window import Window

EVER = Window(START - DAY, END + DAY)
_FEW = (("WARNING", "b-1"), ("ERROR", "c-1"))  # of another level, of another container
RISEN = Series({}, ((START + 10, 0.0), (START + 20, 2.0), (START + 30, 2.0)))


def test_what_passed_and_what_was_done_is_none(tmp_path: Path) -> None:
    found = of(tmp_path, when=EVER)
    assert told(found, "test") == [(60.0, "failed", FAILED.id)]
    assert [one.until for one in found.timeline if one.kind == "test"] == [START + 90]
    assert [where for _, what, where in told(found, "run") if what.startswith("the step")] == ["run suites"]


def test_each_suite_has_its_own_time(tmp_path: Path) -> None:
    other = replace(FAILED, id="c", suite="logs", outcome="passed", started=START + 700, seconds=5.0)
    found = of(tmp_path, replace(RUN, tests=(FAILED, other)))
    ran = {
        one.where: (one.at - START, (one.until or 0) - START) for one in found.timeline if one.what.startswith("its")
    }
    assert ran == {"suite api": (60.0, 90.0), "suite logs": (700.0, 705.0)}


def test_what_there_is_is_not_said_to_be_missing(tmp_path: Path) -> None:
    write(tmp_path, "tests/a/events.txt", "")
    missing = [one.what for one in of(tmp_path).missing]
    assert "events around failed tests" not in missing
    assert "alerts around failed tests" in missing


def test_files_of_containers_and_of_programs_are_not_read(tmp_path: Path) -> None:
    alert = "firing   Down  23:45:00 to 23:50:00  service=backend\n"
    write(tmp_path, "tests/a/logs/alerts.log", alert)  # what a container of that name wrote
    write(tmp_path, "tests/a/alerts.json", alert)
    found = of(tmp_path)
    assert told(found, "alert") == []
    assert "alerts around failed tests" in [one.what for one in found.missing]


def test_a_start_before_the_suites_is_no_restart(tmp_path: Path) -> None:
    facts = Monitoring(START + 10, END, starts=(START + 5, START + 10, START + 11))
    assert [at for at, *_ in told(of(tmp_path, replace(RUN, monitoring=facts)), "restart")] == [11.0]


def test_only_a_count_of_restarts_tells_of_restarts(tmp_path: Path) -> None:
    count = "sum(kube_pod_container_status_restarts_total)"
    others = (
        measured("promql", "up", series=(RISEN,)),
        measured("slo", count, series=(RISEN,)),
    )
    assert told(of(tmp_path, replace(RUN, measurements=others)), "restart") == []
    found = of(tmp_path, replace(RUN, measurements=(measured("promql", count, series=(RISEN,)),)))
    assert told(found, "restart") == [(20.0, "2 containers started again", "objective what")]


def test_only_what_is_left_of_a_budget_tells_of_budgets(tmp_path: Path) -> None:
    given = {"names": ("service=backend slo=latency",), "values": (0.25,)}
    others = (
        measured("slo", "slo:current_burn_rate:ratio", **given),
        measured("promql", "slo:period_error_budget_remaining:ratio", **given),
    )
    assert of(tmp_path, replace(RUN, measurements=others)).burnt == ()


def test_alerts_are_joined_in_the_order_of_time_up_to_a_minute(tmp_path: Path) -> None:
    text = "firing   Down  23:50:31 to 23:51:00; 23:45:30 to 23:49:31; 23:52:01 to 23:53:00  \n"
    write(tmp_path, "tests/a/alerts.txt", text)
    found = [one for one in of(tmp_path).timeline if one.kind == "alert"]
    assert [(one.at - START, (one.until or 0) - START) for one in found] == [(930.0, 1260.0), (1321.0, 1380.0)]


def test_a_time_of_day_is_of_the_hour_before_the_run_at_most(tmp_path: Path) -> None:
    write(tmp_path, "tests/a/alerts.txt", "firing   A  22:30:00 to 22:30:00  \nfiring   B  22:29:59 to 22:29:59  \n")
    assert told(of(tmp_path, when=EVER), "alert") == [(-3600.0, "A fires", ""), (DAY - 3601, "B fires", "")]


def test_a_line_without_a_time_is_left_out(tmp_path: Path) -> None:
    lines = [f"1970-01-01T23:40:0{second}.000Z ERROR    default/b-1/main: no\n" for second in range(4)]
    write(tmp_path, "tests/a/warnings.log", "".join(lines) + "1970-13-01T23:40:09Z ERROR    default/b-1/main: no\n")
    assert told(of(tmp_path), "log spike") == []


def test_minutes_that_follow_each_other_are_one_spike_in_whatever_order_lines_come(tmp_path: Path) -> None:
    lines = [f"1970-01-01T23:{minute}:0{at}Z ERROR    d/b-1/main: no" for minute in range(40, 50) for at in range(5)]
    write(tmp_path, "tests/a/warnings.log", "\n".join(reversed(lines)))
    assert told(of(tmp_path), "log spike") == [(600.0, "50 lines of level ERROR, up to 5 a minute", "d/b-1/main")]


def test_the_lines_of_one_container_are_not_anothers(tmp_path: Path) -> None:
    lines = [f"1970-01-01T23:40:0{at}Z ERROR    d/b-1/main: no" for at in range(5)]
    few = [f"1970-01-01T23:40:0{at}Z {level}  d/{name}/main: no" for at in range(2) for level, name in _FEW]
    write(tmp_path, "tests/a/warnings.log", "\n".join([*few, *lines]))
    assert [where for *_, where in told(of(tmp_path), "log spike")] == ["d/b-1/main"]


def test_points_of_a_plot_that_are_apart_are_two(tmp_path: Path) -> None:
    plot = Series({}, ((START + 10, 1.0), (START + 70, 1.0), (START + 131, 1.0)))
    found = of(tmp_path, replace(RUN, measurements=(measured("logql", "sum(x)", series=(plot,)),)))
    assert [at for at, *_ in told(found, "log spike")] == [10.0, 131.0]


def test_what_two_objectives_of_a_name_saw_is_told_once(tmp_path: Path) -> None:
    one = measured("promql", "sum(kube_pod_container_status_restarts_total)", series=(RISEN, RISEN))
    assert len(told(of(tmp_path, replace(RUN, measurements=(one,))), "restart")) == 1
