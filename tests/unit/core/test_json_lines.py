"""JSON lines: their form, whatever a program said; and what they leave out."""

from pathlib import Path

import pytest
from tests.unit.core.json_events import events
from tests.unit.core.support import Clock

from sluice.adapters import json_lines
from sluice.adapters.json_lines import JsonLines


@pytest.fixture
def lines() -> list[str]:
    return []


def test_words_come_now_and_then_and_what_belongs_to_no_task_at_once(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(json_lines, "time", clock)
    told = JsonLines(lines.append)
    told.begin("loki")
    for second in range(12):
        told.update("loki", f"{second} packages")
        clock.now += 1
    told.update("supply", "docker.io does not answer")
    told.end("loki", outcome="failed")
    told.end("never begun", outcome="cancelled")
    found = [{name: one[name] for name in one if name not in ("v", "time")} for one in events("".join(lines))]
    assert found == [
        {"event": "begin", "task": "loki"},
        {"event": "progress", "task": "loki", "text": "0 packages", "seconds": 0.0},
        {"event": "progress", "task": "loki", "text": "5 packages", "seconds": 5.0},
        {"event": "progress", "task": "loki", "text": "10 packages", "seconds": 10.0},
        {"event": "note", "task": "supply", "text": "docker.io does not answer"},
        {"event": "end", "task": "loki", "outcome": "failed", "seconds": 12.0},
        {"event": "end", "task": "never begun", "outcome": "cancelled", "seconds": 0.0},
    ]


def test_whatever_a_value_holds_a_line_is_one_line_of_ascii(lines: list[str]) -> None:
    data = {
        "nan": float("nan"),
        "inf": [float("-inf")],
        "path": Path("a/b"),
        "odd": "é\u2028\x1b[31m\ud800\n",
        "none": None,
    }
    JsonLines(lines.append).result("x", exit_status=0, text="", data=data)
    [line] = lines
    assert line.isascii()
    assert line[:-1].isprintable()
    assert line[-1] == "\n"
    [found] = events(line)
    assert found["data"] == {**data, "nan": "nan", "inf": ["-inf"], "path": "a/b"}


def test_secrets_are_masked_by_name_and_shape(lines: list[str]) -> None:
    told = JsonLines(lines.append)
    told.note("Authorization: Bearer abcdefgh12345678")
    told.error("no login", seen="https://ada:hunter22@registry.acme.org refused")
    told.result("x", exit_status=0, text="", data={"registry": {"password": "hunter22"}})
    assert "hunter22" not in "".join(lines)
    assert "abcdefgh" not in "".join(lines)
    assert "".join(lines).count("***") == 3


def test_a_result_without_what_is_unknown_has_no_such_field(lines: list[str]) -> None:
    told = JsonLines(lines.append)
    told.begin("x", expected_seconds=None)
    told.note("a word")
    told.error("it broke")
    assert [sorted(one) for one in events("".join(lines))] == [
        ["event", "task", "time", "v"],
        ["event", "text", "time", "v"],
        ["event", "failed", "time", "v"],
    ]
