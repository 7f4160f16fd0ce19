"""Users' tokens, signed with the key that the pipeline made for the suites."""

import json
import time
import uuid
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

AUDIENCE = "sluice"
_VALID_SECONDS = 1800


def new_user() -> str:
    """A user that nobody else is, in this run or another on the same cluster."""
    return f"e2e-{uuid.uuid4().hex[:16]}"


@dataclass(frozen=True)
class Signer:
    """Signs tokens (ES256) under one key id. The services trust what `from_jwk` of the Secret signs, and no other."""

    key: ec.EllipticCurvePrivateKey
    kid: str

    @staticmethod
    def from_jwk(text: str) -> "Signer":
        """The signer of a private JWK that has a `kid`."""
        key = ECAlgorithm.from_jwk(text)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "the JWK of user-tokens holds no private key"
        return Signer(key, json.loads(text)["kid"])

    def forger(self) -> "Signer":
        """A signer that claims the same key id and has another key."""
        return Signer(ec.generate_private_key(self.key.curve), self.kid)

    def token(self, user: str, *roles: str, seconds: float = _VALID_SECONDS, audience: str = AUDIENCE) -> str:
        """A token of a user that ends `seconds` from now; negative for one that has ended."""
        now = time.time()
        begun = min(now, now + seconds) - 1
        claims = {"sub": user, "aud": audience, "iat": int(begun), "exp": int(now + seconds), "roles": list(roles)}
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": self.kid})
