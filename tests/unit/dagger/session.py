"""A session without an engine: real client objects, whose calls are read back, and answers that a test gives.

Each query is held to the engine's schema (schema.py) before it is answered or looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagger
import pytest
from dagger.client._core import Context
from dagger.client.base import Type
from tests.unit.dagger.schema import refusals


@dataclass(frozen=True)
class Call:
    """One link of a chain: the API's name of the field, and what was given."""

    name: str
    args: dict[str, Any]


def chain(of: Type) -> list[Call]:
    """What was called to get an object, from the root on; arguments that are objects are given as they are."""
    taken(of._ctx)
    return [Call(field.name, field.args) for field in of._ctx.selections]


def taken(context: Context) -> None:
    """Fail where the engine would not take the query."""
    assert not (refused := refusals(context)), refused


def everything(of: Type) -> Iterator[Call]:
    """The calls of an object and of all that was passed to them."""
    for call in chain(of):
        for value in call.args.values():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, Type):
                    yield from everything(one)
        yield call


def calls(of: Type, name: str) -> list[dict[str, Any]]:
    """The arguments of each call of that name in an object's own chain."""
    return [call.args for call in chain(of) if call.name == name]


def variables(of: Type) -> dict[str, str]:
    """The environment that a container was given, in the order of the calls."""
    return {args["name"]: args["value"] for args in calls(of, "withEnvVariable")}


class FakeSession:
    """Answers what is awaited by the name of the last call, and remembers the chains."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = dagger.Client()
        self.answers: dict[str, Any] = {}
        self.asked: list[list[Call]] = []
        session = self

        async def execute(context: Context, return_type: object = None) -> object:
            taken(context)
            asked = [Call(field.name, field.args) for field in context.selections]
            session.asked.append(asked)
            answer = session.answers.get(asked[-1].name, "an-id")
            answer = answer(asked) if callable(answer) else answer
            if isinstance(answer, Exception):
                raise answer
            return answer

        async def synced(_: Context, of: Type, *__: object) -> Type:
            session.asked.append([*chain(of), Call("sync", {})])
            return of

        monkeypatch.setattr(Context, "execute", execute)
        monkeypatch.setattr(Context, "execute_sync", synced)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    return FakeSession(monkeypatch)
