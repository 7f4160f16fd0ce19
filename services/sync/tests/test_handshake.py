"""Who may connect: tokens in each place, origins, limits, and resume points that are none."""

from __future__ import annotations

import time
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from testkit.tokens import Keys

pytestmark = pytest.mark.anyio

LOOPBACK = {"proxy": None, "compression": None}


@pytest.fixture
def settings(sqlite_settings: Any) -> Any:
    """The database makes no difference here."""
    return sqlite_settings


async def test_the_token_comes_in_either_header_or_as_a_subprotocol(replica: Any, keys: Keys) -> None:
    token = keys.token("ann")
    for options in (
        {"additional_headers": {"Authorization": f"Bearer {token}"}},
        {"additional_headers": {"X-Forwarded-Access-Token": token}},
    ):
        async with replica.connected("ann", **options) as ann:
            assert ann.connection.subprotocol is None
    for offered in (["sluice.v1", f"bearer.{token}"], [f"bearer.{token}", "sluice.v1"]):
        async with replica.connected("ann", additional_headers={}, subprotocols=offered) as ann:
            assert ann.connection.subprotocol == "sluice.v1", "the token is never sent back"


async def test_tokens_that_prove_nothing_are_refused_with_4401(replica: Any, keys: Keys) -> None:
    now = time.time()
    header, payload, signature = keys.token("ann").split(".")
    bad = {
        "its signature": Keys().token("ann"),
        "no key of": Keys("other").token("ann"),
        "not well-formed": "nonsense",
        "another audience": keys.token("ann", aud="elsewhere"),
        "has expired": keys.token("ann", exp=int(now) - 60),
        "the token has expired": keys.token("ann", exp=int(now) - 1),
        "its sub": keys.token("ann/../bob"),
        "not accepted": f"{header}.{payload}.{signature[::-1]}",
    }
    for told, token in bad.items():
        code, reason = await replica.refused(additional_headers={"Authorization": f"Bearer {token}"})
        assert code == 4401
        assert told in reason
        assert (await replica.refused(subprotocols=["sluice.v1", f"bearer.{token}"]))[0] == 4401
    found = await replica.samples()
    assert found["websocket_connections_total{outcome=unauthorized}"] == 2 * len(bad)
    assert found["websocket_connections_closed_total{code=4401}"] == 2 * len(bad)
    assert found["websocket_connections_active"] == 0


async def test_exactly_one_token_is_needed(replica: Any, keys: Keys) -> None:
    token = keys.token("ann")
    both = {"Authorization": f"Bearer {token}", "X-Forwarded-Access-Token": token}
    for options in (
        {},
        {"subprotocols": ["sluice.v1"]},
        {"additional_headers": both},
        {"additional_headers": keys.headers("ann"), "subprotocols": ["sluice.v1", f"bearer.{token}"]},
        {"subprotocols": ["sluice.v1", f"bearer.{token}", f"bearer.{keys.token('bob')}"]},
    ):
        code, reason = await replica.refused(**options)
        assert code == 4401
        assert "exactly one token" in reason


async def test_a_token_in_the_query_is_none_and_no_line_shows_it(
    replica: Any, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    token = keys.token("ann")
    assert (await replica.refused(f"?token={token}"))[0] == 4401
    async with replica.connected("ann", additional_headers={}, subprotocols=["sluice.v1", f"bearer.{token}"]):
        pass
    output = capsys.readouterr()
    assert token not in output.out + output.err


@pytest.mark.parametrize("after", ["", "-1", "1.5", "x", "٣", "1e3", "9" * 30, "1&after=2", "%00"])
async def test_a_resume_point_that_is_no_sequence_is_refused_with_4400(replica: Any, keys: Keys, after: str) -> None:
    code, reason = await replica.refused(f"?after={after}", additional_headers=keys.headers("ann"))
    assert code == 4400
    assert "?after=17" in reason


async def test_a_resume_point_that_was_never_given_is_refused_with_4409(replica: Any, keys: Keys) -> None:
    await replica.change("cleo")
    for user, after in (("cleo", 2), ("dora", 1), ("cleo", 10**18 - 1)):
        code, reason = await replica.refused(f"?after={after}", additional_headers=keys.headers(user))
        assert code == 4409
        assert "fetch everything anew" in reason
    found = await replica.samples()
    assert found["websocket_connections_total{outcome=resume_refused}"] == 3
    assert found["websocket_connections_active"] == 0


async def test_a_page_of_another_origin_may_not_connect(start: Any, settings: Any, keys: Keys) -> None:
    allowed = "https://app.example.org, http://LOCALHOST:3000/"
    replica = await start(settings, allowed_origins=allowed)
    headers = keys.headers("ann")
    for origin in (
        f"http://127.0.0.1:{replica.port}",
        "https://app.example.org",
        "HTTPS://App.Example.org",
        "http://localhost:3000",
    ):
        async with replica.connected("ann", origin=origin):
            pass
    for origin in ("https://evil.example.org", "https://app.example.org.evil.org", "null", "http://app.example.org"):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(replica.url(), additional_headers=headers, origin=origin, **LOOPBACK):
                pass
        assert refused.value.response.status_code == 403
        assert b"origin-not-allowed" in refused.value.response.body
    assert (await replica.samples())["websocket_connections_total{outcome=forbidden}"] == 4


async def test_a_user_and_a_replica_hold_so_many_connections_and_no_more(start: Any, settings: Any, keys: Keys) -> None:
    replica = await start(settings, max_connections=3, max_connections_per_user=2)
    async with replica.connected("ann"), replica.connected("ann") as second:
        code, reason = await replica.refused(additional_headers=keys.headers("ann"))
        assert (code, "of one replica" in reason) == (1013, True)
        async with replica.connected("bob"):
            code, reason = await replica.refused(additional_headers=keys.headers("cleo"))
            assert (code, "this replica holds 3" in reason) == (1013, True)
        await second.connection.close()
        await replica.until_sample("websocket_connections_active", lambda value: value == 1)
        async with replica.connected("ann"):
            pass
    assert (await replica.samples())["websocket_connections_total{outcome=limited}"] == 2


async def test_an_unknown_path_takes_no_websocket(replica: Any, keys: Keys) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"{replica.url()}/other", additional_headers=keys.headers("ann"), **LOOPBACK):
            pass
    assert refused.value.response.status_code == 403
