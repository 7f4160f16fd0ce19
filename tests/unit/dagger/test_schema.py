"""The fake session refuses what the engine would: a field, an argument, a type or a value that its schema has not."""

from typing import Any

import dagger
import pytest
from dagger.client._core import Arg
from tests.unit.dagger.schema import refusals, schema
from tests.unit.dagger.session import FakeSession, chain, session

__all__ = ["session"]

pytestmark = pytest.mark.anyio


def past(of: Any, field: str, *given: Arg) -> Any:
    """One more call on an object, made past the client's methods."""
    return of._select(field, list(given))


def selected(of: Any, field: str, *given: Arg) -> str:
    return "; ".join(refusals(past(of, field, *given)))


def test_the_schema_is_that_of_the_client() -> None:
    container = schema().type_map["Container"].fields  # type: ignore[attr-defined]
    assert str(container["withExec"].args["args"].type) == "[String!]!"
    assert str(container["withMountedCache"].args["sharing"].type) == "CacheSharingMode"
    assert str(container["withMountedSecret"].type) == "Container!"
    assert {"withMountedTemp", "asService", "import", "from"} <= set(container)


def test_a_right_query_is_taken_with_all_that_is_in_it(session: FakeSession) -> None:
    client = session.client
    volume = client.cache_volume("k")
    box = client.container().with_mounted_cache("/k", volume, sharing=dagger.CacheSharingMode.PRIVATE)
    box = box.with_service_binding("a", client.container().from_("b").as_service(args=["c"], no_init=True))
    built = box.directory("/k").docker_build(build_args=[dagger.BuildArg("n", "v")])
    assert refusals(built.as_tarball(forced_compression=dagger.ImageLayerCompression.UNCOMPRESSED)._ctx) == []


def test_what_the_engine_does_not_have_is_refused(session: FakeSession) -> None:
    box = session.client.container()
    assert "withTeapot" in selected(box, "withTeapot")
    assert "mode" in selected(box, "withExec", Arg("args", ["a"]), Arg("mode", 1))
    assert "args" in selected(box, "withExec"), "an argument that must be given"
    assert "Int" in selected(box, "withExposedPort", Arg("port", "many"))
    assert "LOUD" in selected(session.client.directory(), "exists", Arg("path", "a"), Arg("expectedType", "LOUD"))


def test_so_is_what_stands_in_an_argument_of_another_object(session: FakeSession) -> None:
    wrong = dagger.Directory(past(session.client.directory(), "withTeapot"))
    outer = session.client.container().with_directory("/a", wrong)
    assert "withTeapot" in "; ".join(refusals(outer._ctx))
    with pytest.raises(AssertionError, match="withTeapot"):
        chain(outer)


async def test_the_session_answers_nothing_that_the_engine_would_refuse(session: FakeSession) -> None:
    with pytest.raises(AssertionError, match="withTeapot"):
        await dagger.Container(past(session.client.container(), "withTeapot")).stdout()
    with pytest.raises(AssertionError, match="withTeapot"):
        await dagger.Container(past(session.client.container(), "withTeapot")).sync()
