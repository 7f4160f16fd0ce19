"""The whole way: a user's URL that leads inside reaches nothing, and is given up with its reason."""

from __future__ import annotations

from typing import Any

import pytest

# What is stored is the same on any database; the queue's tests run on both.
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database", ["sqlite"], indirect=True)]


async def only(system: Any) -> dict[str, Any]:
    """Return the one delivery there is."""
    (delivery,) = await system.deliveries()
    return dict(delivery)


async def test_a_name_that_leads_inside_is_given_up_at_once(start: Any, receiver: Any) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    system = start(resolve=resolve, webhook_allowed_hosts="")
    await system.channel(url=receiver.url("innocent.example"))
    await system.remind()
    assert await system.send_due() == 1
    dead = await only(system)
    assert (dead["state"], dead["last_error"]) == ("dead", "the host's address is not a public one")
    assert receiver.connections == 0
    (letter,) = await system.dead_letters()
    assert "the host's address is not a public one" in letter["data"]["reason"]


async def test_a_name_that_turns_inwards_between_attempts_is_refused(start: Any, receiver: Any) -> None:
    answers = [["127.0.0.1"], ["127.0.0.1"]]

    async def resolve(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    allowing = start(resolve=resolve, webhook_allowed_hosts="turning.example")
    receiver.script.append(500)
    await allowing.channel(url=receiver.url("turning.example"))
    await allowing.remind()
    assert await allowing.send_due() == 1
    assert (await only(allowing))["last_error"] == "the receiver answered 500"
    allowing.clock.move(10)
    strict = start(resolve=resolve, webhook_allowed_hosts="")
    assert await strict.send_due() == 1
    assert (await only(strict))["state"] == "dead"
    assert receiver.connections == 1


async def test_a_redirect_inwards_is_not_followed(start: Any, receiver: Any) -> None:
    system = start()
    receiver.script.append(f"HTTP/1.1 302 Found\r\nLocation: {receiver.url()}\r\nContent-Length: 0\r\n\r\n".encode())
    await system.channel(url=receiver.url())
    await system.remind()
    assert await system.send_due() == 1
    dead = await only(system)
    assert (dead["state"], dead["last_error"]) == ("dead", "the receiver answered 302; redirects are not followed")
    assert len(receiver.requests) == 1


async def test_a_proxy_of_the_environment_is_not_used(
    start: Any, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    system = start()
    await system.channel(url=receiver.url())
    await system.remind()
    await system.send_due()
    assert (await only(system))["state"] == "delivered"


async def test_an_allowed_host_is_reached_at_the_address_that_it_has(start: Any, receiver: Any) -> None:
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    system = start(resolve=resolve, webhook_allowed_hosts=f"receiver.test:{receiver.port}")
    await system.channel(url=receiver.url("receiver.test"))
    await system.remind()
    await system.send_due()
    assert asked == [("receiver.test", receiver.port)], "no DNS knows this name: nothing asked again"
    assert receiver.requests[0].headers["host"] == f"receiver.test:{receiver.port}"
