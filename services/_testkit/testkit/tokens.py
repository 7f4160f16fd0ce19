"""Keys, and users' tokens signed with them, as the pipeline and an identity provider make them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm


@dataclass(frozen=True)
class Keys:
    """An ES256 key pair under a key id."""

    kid: str = "tests"
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @cached_property
    def public_jwk(self) -> dict[str, object]:
        """The public key as a JWK."""
        jwk = json.loads(ECAlgorithm.to_jwk(self.private.public_key()))
        return {**jwk, "kid": self.kid, "alg": "ES256", "use": "sig"}

    def write(self, path: Path) -> Path:
        """Write the key set that a service mounts."""
        path.write_text(json.dumps({"keys": [self.public_jwk]}))
        return path

    def token(self, user: str, *roles: str, seconds: float = 600, **claims: object) -> str:
        """Return a user's token, valid for so many seconds; `claims` replace its own, None takes one out."""
        now = time.time()
        given = {"sub": user, "aud": "sluice", "iat": int(now), "exp": int(now + seconds), **claims}
        if roles:
            given["roles"] = list(roles)
        kept = {name: value for name, value in given.items() if value is not None}
        return jwt.encode(kept, self.private, algorithm="ES256", headers={"kid": self.kid})

    def headers(self, user: str, *roles: str) -> dict[str, str]:
        """Return the header that a user's requests carry."""
        return {"Authorization": f"Bearer {self.token(user, *roles)}"}
