"""Standard Webhooks: secrets and signatures (https://www.standardwebhooks.com/, "Signature scheme")."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64


def key_of(secret: str) -> bytes:
    """Return the key that a secret holds: `whsec_` and 24 to 64 bytes in base64. Raises ValueError."""
    expected = f"must be {PREFIX} followed by {_SHORTEST} to {_LONGEST} random bytes in base64"
    if not secret.startswith(PREFIX):
        raise ValueError(expected)
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(expected) from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(expected)
    return key


def signature(secret: str, message_id: str, timestamp: int, body: str) -> str:
    """Return the `webhook-signature`: HMAC-SHA256 over id, timestamp (seconds since the epoch) and body."""
    signed = f"{message_id}.{timestamp}.{body}".encode()
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
