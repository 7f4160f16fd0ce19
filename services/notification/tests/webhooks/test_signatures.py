"""Signatures after Standard Webhooks, held against a known value and recomputed by a receiver's own means."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest

from notification.signatures import key_of, signature

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@pytest.mark.anyio
async def test_the_receiver_can_check_what_it_got(system: Any, receiver: Any) -> None:
    await system.channel(url=receiver.url(), secret=SECRET)
    await system.remind(title="größer")
    await system.send_due()
    (request,) = receiver.requests
    message_id, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert int(timestamp) == int(system.clock.now.timestamp())
    signed = f"{message_id}.{timestamp}.".encode() + request.body.encode()
    expected = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.anyio
async def test_without_a_secret_there_is_no_signature(system: Any, receiver: Any) -> None:
    await system.channel(url=receiver.url())
    await system.remind()
    await system.send_due()
    assert "webhook-signature" not in receiver.requests[0].headers


def test_the_value_is_what_openssl_says() -> None:
    # printf '%s' 'msg_1.1700000000.{"a":1}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001…1f -binary | base64
    assert signature(SECRET, "msg_1", 1_700_000_000, '{"a":1}') == "v1,AMaOha7DUT/0J0JMycRuYOBSvbx3WtwLd2khXXbaVj4="


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        base64.b64encode(KEY).decode(),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        SECRET + "\n",
        SECRET.replace("A", "-"),
        SECRET[:-1],
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="must be whsec_ followed by 24 to 64 random bytes in base64") as caught:
        key_of(secret)
    assert secret[6:] == "" or secret[6:] not in str(caught.value)


@pytest.mark.parametrize("size", [24, 64])
def test_the_bounds_are_taken(size: int) -> None:
    assert key_of("whsec_" + base64.b64encode(bytes(size)).decode()) == bytes(size)
