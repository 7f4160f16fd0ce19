"""Secrets that several services share, made once in a cluster: tokens' key pair, and what Dapr shows to a service."""

import base64
import hashlib
import json
import secrets

from cryptography.hazmat.primitives.asymmetric import ec

from sluice.steps.install_charts import Installer

USER_TOKENS, DAPR_APP_TOKEN = "user-tokens", "dapr-app-token"
_COORDINATE_BYTES = 32


async def install_secrets(installer: Installer, namespace: str) -> None:
    """Make the Secrets unless they are there: `user-tokens` (jwks.json, signing-key.jwk) and `dapr-app-token` (token).

    Services mount jwks.json alone; who may read the Secret may sign tokens, as the suites do.
    """
    public, private = signing_keys()
    tokens = {"jwks.json": json.dumps({"keys": [public]}), "signing-key.jwk": json.dumps(private)}
    await installer.manifests.ensure_secret(USER_TOKENS, namespace, tokens)
    await installer.manifests.ensure_secret(DAPR_APP_TOKEN, namespace, {"token": secrets.token_urlsafe(32)})


def signing_keys() -> tuple[dict[str, str], dict[str, str]]:
    """Return a new ES256 key, public and private, as JSON Web Keys (RFC 7517, 7518); `kid` is its thumbprint (7638)."""
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    point = {"x": _base64url(numbers.public_numbers.x), "y": _base64url(numbers.public_numbers.y)}
    required = {"crv": "P-256", "kty": "EC", **point}
    thumbprint = hashlib.sha256(json.dumps(required, sort_keys=True, separators=(",", ":")).encode()).digest()
    public = {**required, "alg": "ES256", "kid": _text(thumbprint), "use": "sig"}
    return public, {**public, "d": _base64url(numbers.private_value)}


def _base64url(number: int) -> str:
    return _text(number.to_bytes(_COORDINATE_BYTES))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
