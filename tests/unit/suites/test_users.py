"""The tokens that the suites sign."""

import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from tests.e2e.users import Signer, new_user


@pytest.fixture(scope="module")
def private() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def signer(private: ec.EllipticCurvePrivateKey) -> Signer:
    return Signer.from_jwk(json.dumps({**json.loads(ECAlgorithm.to_jwk(private)), "kid": "key-1"}))


def claims(private: ec.EllipticCurvePrivateKey, token: str, audience: str = "sluice") -> dict[str, object]:
    required = ["sub", "exp", "iat", "aud"]
    return dict(jwt.decode(token, private.public_key(), ["ES256"], audience=audience, options={"require": required}))


def test_a_token_holds_what_the_services_ask_for(signer: Signer, private: ec.EllipticCurvePrivateKey) -> None:
    token = signer.token("ann", "auditor", seconds=60)
    found = claims(private, token)
    assert (found["sub"], found["roles"]) == ("ann", ["auditor"])
    assert 50 < int(str(found["exp"])) - time.time() <= 60
    assert jwt.get_unverified_header(token) == {"typ": "JWT", "alg": "ES256", "kid": "key-1"}


def test_a_token_can_have_ended_and_can_be_meant_for_others(
    signer: Signer, private: ec.EllipticCurvePrivateKey
) -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        claims(private, signer.token("ann", seconds=-60))
    with pytest.raises(jwt.InvalidAudienceError):
        claims(private, signer.token("ann", audience="another"))


def test_a_forger_has_the_key_id_and_not_the_key(signer: Signer, private: ec.EllipticCurvePrivateKey) -> None:
    forged = signer.forger().token("ann")
    assert jwt.get_unverified_header(forged)["kid"] == "key-1"
    with pytest.raises(jwt.InvalidSignatureError):
        claims(private, forged)


def test_a_public_key_is_refused(private: ec.EllipticCurvePrivateKey) -> None:
    public = json.dumps({**json.loads(ECAlgorithm.to_jwk(private.public_key())), "kid": "key-1"})
    with pytest.raises(AssertionError, match="no private key"):
        Signer.from_jwk(public)


def test_no_user_comes_twice() -> None:
    assert len({new_user() for _ in range(100)}) == 100
