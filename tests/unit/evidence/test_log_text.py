"""Log lines as text: read from top to bottom, no secret changed into something that nobody would know for one."""

import json

import pytest

from sluice.masking import masker
from sluice.ports import LogLine
from sluice.steps.log_text import field, kinds, line_text, merged

LABELS = {"namespace": "default", "pod": "backend-1", "container": "backend", "service": "backend", "level": "ERROR"}


def line(text: str, at: float = 1.5, **labels: str) -> LogLine:
    return LogLine(at, {**LABELS, **labels}, text)


def test_a_json_line_is_its_message_and_the_fields_that_say_more() -> None:
    given = {"timestamp": "t", "level": "ERROR", "message": "it broke", "status": 500, "user_id": None, "why": "a b"}
    assert line_text(line(json.dumps(given))) == (
        '1970-01-01T00:00:01.500Z ERROR    default/backend-1/backend: it broke  status=500 why="a b"'
    )


def test_a_traceback_is_unfolded() -> None:
    text = line_text(line(json.dumps({"message": "it broke", "traceback": "one\n  two\n"})))
    assert text.endswith(": it broke\n    one\n      two")


def test_of_a_very_long_traceback_the_end_is_kept() -> None:
    trace = "\n".join(["Traceback:", *(f"  frame {number}" for number in range(2_000)), "OSError: refused"])
    text = line_text(line(json.dumps({"message": "it broke", "traceback": trace})))
    assert text.endswith("\n    OSError: refused")
    assert len(text) < 9_000


@pytest.mark.parametrize("text", ["plain words", "{not json", "[1]", "{}"])
def test_what_is_no_json_object_stays_as_it_is(text: str) -> None:
    assert line_text(line(text)).startswith("1970-01-01T00:00:01.500Z ERROR    default/backend-1/backend: ")
    assert text == "{}" or line_text(line(text)).endswith(text)


def test_lines_of_several_answers_come_once_each_in_the_order_of_time() -> None:
    first, second, third = line("a", 1), line("b", 2), line("a", 1, pod="backend-2")
    again = line("a", 1, request_id="a parser's label")
    assert [one.labels["pod"] + one.text for one in merged([second, first], [again, third])] == [
        "backend-1a",
        "backend-2a",
        "backend-1b",
    ]


def test_kinds_are_counted_without_their_numbers_and_named_by_the_last_line_of_a_traceback() -> None:
    lines = [line(json.dumps({"message": f"attempt {n} of 10", "traceback": f"x\nError: no {n}"})) for n in range(12)]
    assert kinds([*lines, line("other")], 1, masker()) == [
        "   12 × ERROR backend: attempt # of #: Error: no #",
        "      … and 1 kinds more",
    ]


def test_kinds_of_the_services_come_first_then_what_is_worse_then_what_is_more() -> None:
    lines = [
        *[line("often", namespace="kube-system", service="etcd", level="WARNING")] * 9,
        line("once", namespace="kube-system", service="etcd", level="CRITICAL"),
        *[line("warned", level="WARNING")] * 3,
        *[line("untold", level="UNKNOWN")] * 5,
        *[line("broke"), line("worse", level="CRITICAL")],
    ]
    told = [one.rpartition(" ")[2] for one in kinds(lines, 9, masker(), first="default")]
    assert told == ["worse", "broke", "warned", "untold", "once", "often"]


def test_a_secret_is_masked_before_its_digits_are_taken_for_numbers() -> None:
    assert kinds([line("with s3cr3t-4711 in it")], 5, masker(["s3cr3t-4711"])) == [
        "    1 × ERROR backend: with *** in it"
    ]


def test_a_field_of_a_line() -> None:
    assert field(line('{"user_id": "u", "status": 5}'), "user_id") == "u"
    assert field(line('{"user_id": null, "status": 5}'), "user_id") == ""
    assert field(line("plain"), "user_id") == ""
