"""Receivers that are slow, silent, endless, broken, or not who they say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

# What is stored is the same on any database; the queue's tests run on both.
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database", ["sqlite"], indirect=True)]

DEADLINE_SECONDS = 120
NAMED = {"webhook_allowed_hosts": "receiver.test"}


async def loopback(_host: str, _port: int) -> list[str]:
    """Resolve everything to 127.0.0.1."""
    return ["127.0.0.1"]


async def attempt(system: Any, url: str) -> dict[str, Any]:
    """Send one reminder to the URL, once, and return the delivery."""
    await system.channel(url=url)
    await system.remind()
    assert await system.send_due() == 1
    (delivery,) = await system.deliveries()
    return dict(delivery)


async def test_who_never_answers_is_given_up_in_time(start: Any, receiver: Any) -> None:
    receiver.script.append("hang")
    delivery = await attempt(start(delivery_timeout_seconds=0.2), receiver.url())
    assert (delivery["state"], delivery["last_error"]) == ("pending", "no answer within 0.2 s")


async def test_a_connection_that_is_cut_is_tried_again(start: Any, receiver: Any) -> None:
    receiver.script.append("cut")
    delivery = await attempt(start(), receiver.url())
    said = "the receiver ended the connection without an answer in HTTP"
    assert (delivery["state"], delivery["last_error"]) == ("pending", said)


@pytest.mark.parametrize(
    "said", [b"220 mail.example ESMTP\r\n", b"HTTP/1.1 999999 \r\n\r\n", b"HTTP/1.1 200 OK\r\nX\r\n\r\n"]
)
async def test_an_answer_that_is_not_http_is_tried_again(start: Any, receiver: Any, said: bytes) -> None:
    receiver.script.append(said)
    delivery = await attempt(start(), receiver.url())
    assert (delivery["state"], delivery["attempts"]) == ("pending", 1)
    assert delivery["last_error"] == "the receiver ended the connection without an answer in HTTP"


async def test_an_answer_without_end_is_not_read_to_its_end(start: Any, receiver: Any) -> None:
    receiver.script.append("flood")
    async with asyncio.timeout(DEADLINE_SECONDS):
        delivery = await attempt(start(), receiver.url())
    assert delivery["state"] == "delivered", "the status came first, and is all that counts"
    assert receiver.flooded < 16 * 1024 * 1024


async def test_headers_without_end_are_not_read_to_their_end(start: Any, receiver: Any) -> None:
    receiver.script.append(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 1_000_000 + b"\r\n\r\n")
    delivery = await attempt(start(), receiver.url())
    assert (delivery["state"], delivery["attempts"]) == ("pending", 1)


async def test_a_body_that_never_comes_does_not_matter(start: Any, receiver: Any) -> None:
    receiver.script.append(b"HTTP/1.1 204 Said\r\nContent-Length: 0\r\n\r\n")
    assert (await attempt(start(), receiver.url()))["state"] == "delivered"


async def test_a_status_counts_though_its_body_stops_short(start: Any, receiver: Any) -> None:
    receiver.script.append(b"HTTP/1.1 200 Said\r\nContent-Length: 10\r\n\r\nhalf")
    assert (await attempt(start(), receiver.url()))["state"] == "delivered"


async def test_nobody_listens(start: Any, receiver: Any) -> None:
    url = receiver.url().replace(str(receiver.port), "1")
    delivery = await attempt(start(), url)
    assert (delivery["state"], delivery["last_error"]) == ("pending", "the connection failed")


async def test_a_host_without_an_address_is_tried_again(start: Any) -> None:
    delivery = await attempt(start(), "https://nobody.invalid/hook")
    assert (delivery["state"], delivery["last_error"]) == ("pending", "the host has no address: nobody.invalid")


async def test_https_is_checked_for_the_name_and_not_the_address(
    start: Any, tls_receiver: Any, certificate: Any
) -> None:
    system = start(resolve=loopback, trusted_ca_file=certificate.certificate, **NAMED)
    delivery = await attempt(system, tls_receiver.url("receiver.test", "https"))
    assert delivery["state"] == "delivered"
    assert tls_receiver.requests[0].headers["host"] == f"receiver.test:{tls_receiver.port}"


async def test_a_certificate_that_nobody_vouches_for_is_refused(start: Any, tls_receiver: Any) -> None:
    delivery = await attempt(start(resolve=loopback, **NAMED), tls_receiver.url("receiver.test", "https"))
    assert delivery["state"] == "pending"
    assert delivery["last_error"] == "the receiver's certificate is not accepted: self-signed certificate"
    assert tls_receiver.requests == []


async def test_a_certificate_of_another_name_is_refused(start: Any, tls_receiver: Any, certificate: Any) -> None:
    system = start(resolve=loopback, trusted_ca_file=certificate.certificate, webhook_allowed_hosts="other.test")
    delivery = await attempt(system, tls_receiver.url("other.test", "https"))
    assert delivery["last_error"].startswith("the receiver's certificate is not accepted: Hostname mismatch")
    assert tls_receiver.requests == []


async def test_https_to_a_port_that_speaks_none(start: Any, receiver: Any) -> None:
    receiver.greeting = b"220 mail.example ESMTP\r\n"
    delivery = await attempt(start(resolve=loopback, **NAMED), receiver.url("receiver.test", "https"))
    assert (delivery["state"], delivery["last_error"]) == ("pending", "TLS failed")


async def test_https_that_never_begins_leaves_no_connection_behind(start: Any, receiver: Any) -> None:
    system = start(resolve=loopback, delivery_timeout_seconds=0.2, **NAMED)
    delivery = await attempt(system, receiver.url("receiver.test", "https"))
    assert (delivery["state"], delivery["last_error"]) == ("pending", "no answer within 0.2 s")
    async with asyncio.timeout(DEADLINE_SECONDS):
        while receiver.open:
            await asyncio.sleep(0.02)
