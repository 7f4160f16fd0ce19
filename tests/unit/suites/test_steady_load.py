"""The load that kills and upgrades are made under, and what is asserted about it afterwards."""

from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import anyio
import httpx
import pytest
from tests.e2e.effects import assert_once
from tests.e2e.load import Asked, Load
from tests.e2e.resilience.kills import RECOVERED_WITHIN, Kill
from tests.e2e.support import Backend, asked_for

from sluice.errors import ClusterError

pytestmark = pytest.mark.anyio


@dataclass
class Answers:
    """A backend that gives one answer after the other, and then the last one again."""

    given: list[tuple[int, dict[str, str]] | Exception]
    seen: list[str] = field(default_factory=list)

    async def request(self, method: str, path: str, *, json: Any = None) -> httpx.Response:
        answer = self.given[min(len(self.seen), len(self.given) - 1)]
        self.seen.append(f"{method} {path}")
        if isinstance(answer, Exception):
            raise answer
        status, headers = answer
        request = httpx.Request(method, f"http://x{path}", headers={"X-Request-ID": f"id-{len(self.seen)}"})
        return httpx.Response(status, headers=headers, json={"id": f"task-{len(self.seen)}"}, request=request)


def load(*given: tuple[int, dict[str, str]] | Exception) -> tuple[Load, Answers]:
    answers = Answers(list(given))
    return Load(cast("Backend", answers), most=len(given), workers=1), answers


GONE = ClusterError("no way to the pod", seen="503", expected="an answer", next_command="look")


@pytest.mark.parametrize(
    ("answer", "ok", "task", "pause"),
    [
        ((201, {}), True, "task-1", 0.5),
        ((503, {"Retry-After": "5"}), False, "", 5.0),
        ((500, {}), False, "", 1.0),
        (GONE, False, "", 1.0),
        (httpx.ReadError("cut"), False, "", 1.0),
    ],
)
async def test_each_request_is_noted_with_what_became_of_it(
    answer: tuple[int, dict[str, str]] | Exception, ok: bool, task: str, pause: float
) -> None:
    made, _ = load(answer)
    assert await made._create() == pause
    (one,) = made.asked
    assert (one.ok, one.task, one.service) == (ok, task, "backend")
    assert bool(one.cause) is not ok
    assert (made.taken, made.failed()) == (([one], []) if ok else ([], [one]))


async def test_a_failure_belongs_to_the_windows_that_its_request_was_under_way_in() -> None:
    made, _ = load((201, {}))
    made.asked = [Asked("backend", at, 1, status) for at, status in ((1, 503), (5, 503), (6, 201), (9, 0))]
    assert [one.at for one in made.failed(since=2.5)] == [5, 9]
    assert [one.at for one in made.failed(since=1.5, until=8)] == [1, 5]


async def test_it_is_bounded_and_reads_whom_it_is_told_to() -> None:
    made, answers = load((201, {}), (201, {}))
    reader = Answers([(200, {})])
    made.every, made.readers = 0.0, {"audit": (cast("Backend", reader), "/entries")}
    with anyio.fail_after(20):
        async with made.running():
            while len(made.asked) < made.most:
                await anyio.lowlevel.checkpoint()
    assert len(made.asked) <= made.most + 1  # one may have been under way when there were enough
    assert set(answers.seen) == {"POST /api/v1/tasks"}
    assert set(reader.seen) == {"GET /entries"}


def killed(**change: Any) -> Kill:
    good: dict[str, Any] = {"name": "audit", "at": 100.0, "pods": 1, "ready": 8.0, "recovered": 9.0}
    return Kill(**{**good, "refused": (), "refuses": False, "failure": "", **change})


FAILED = Asked("backend", 101, 0.1, 503, cause="no database")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"recovered": RECOVERED_WITHIN + 1}, "to work again"),
        ({"recovered": None}, "did not work again"),
        ({"failure": "0 of 1 pods"}, "0 of 1 pods"),
        ({"refused": (FAILED,)}, "1 requests failed that do not need it, the first: backend: status 503 no database"),
        ({"refused": (FAILED,), "refuses": True}, ""),
    ],
)
def test_what_is_wrong_with_a_kill_is_told(change: dict[str, Any], said: str) -> None:
    found = killed(**change).wrong
    assert (said in found) if said else (found == "")


def test_each_task_is_to_be_there_once() -> None:
    assert_once(Counter({"a": 1, "unanswered": 1}), ["a"], where="audit")
    with pytest.raises(AssertionError, match="audit has nothing of 1 of 2 tasks"):
        assert_once(Counter({"a": 1}), ["a", "b"], where="audit")
    with pytest.raises(AssertionError, match=r"more than once: .'a': 2"):
        assert_once(Counter({"a": 2}), ["a"], where="audit")


def test_of_a_test_that_runs_by_itself_the_others_drills_are_not_made() -> None:
    def item(module: str, **params: str) -> Any:
        return SimpleNamespace(module=module, callspec=SimpleNamespace(params=params))

    def request(*items: Any) -> Any:
        return SimpleNamespace(module="m", session=SimpleNamespace(items=list(items)))

    other = item("another", alert="C")
    assert asked_for(request(item("m", alert="A"), other), "alert") == {"A"}
    assert asked_for(request(item("m", alert="A"), item("m", alert="B")), "alert") == {"A", "B"}
    # One that looks at all of them asks for all of them.
    assert asked_for(request(item("m", alert="A"), SimpleNamespace(module="m")), "alert") == set()
