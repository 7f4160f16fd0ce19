"""Tokens: only one that our key signed for us, complete and in time, names a user."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from servicekit.app import Service
from servicekit.identity import TokenVerifier
from servicekit.settings import SettingsError, TokenSettings, load_settings
from testkit.tokens import Keys

pytestmark = pytest.mark.anyio


def part(content: object) -> str:
    """Encode one part of a token."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def claims(**values: object) -> dict[str, object]:
    """Return what a good token says, with some of it replaced."""
    now = int(time.time())
    return {"sub": "ann", "aud": "sluice", "iat": now, "exp": now + 600, **values}


def unsigned(**header: object) -> str:
    """Make a token without a signature."""
    return f"{part({'alg': 'none', 'typ': 'JWT', 'kid': 'tests', **header})}.{part(claims())}."


def confused(keys: Keys) -> str:
    """Make a token whose HMAC secret is the public key, which everybody has."""
    public = keys.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    content = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'tests'})}.{part(claims())}"
    return f"{content}.{part(hmac.new(public, content.encode(), hashlib.sha256).digest())}"


def altered(keys: Keys) -> str:
    """Make a good token and put another user into it."""
    header, _, signature = keys.token("ann").split(".")
    return f"{header}.{part(claims(sub='bob'))}.{signature}"


def bad_tokens(keys: Keys) -> dict[str, tuple[str, str]]:
    """Return tokens that prove nothing, with the reason that is given."""
    other = Keys()
    header, payload, signature = keys.token("ann").split(".")
    return {
        "expired": (keys.token("ann", seconds=-60), "it has expired"),
        "from the future": (keys.token("ann", iat=int(time.time()) + 600), "it is not valid yet"),
        "not yet": (keys.token("ann", nbf=int(time.time()) + 600), "it is not valid yet"),
        "another key": (other.token("ann"), "its signature does not fit the key"),
        "key not in the set": (Keys("other").token("ann"), "no key of this service has its key id"),
        "alg none": (unsigned(), "it is signed by another algorithm"),
        "alg None, no key id": (unsigned(alg="None", kid=None), "not well-formed"),
        "HMAC with the public key": (confused(keys), "it is signed by another algorithm"),
        "altered": (altered(keys), "its signature does not fit the key"),
        "no signature": (f"{header}.{payload}.", "its signature does not fit the key"),
        "two parts": (f"{header}.{payload}", "it is not well-formed"),
        "cut": (signature, "it is not well-formed"),
        "another audience": (keys.token("ann", aud="elsewhere"), "it is meant for another audience"),
        "audiences without ours": (keys.token("ann", aud=["a", "b"]), "it is meant for another audience"),
        "no sub": (keys.token("ann", sub=None), "it lacks the claim sub"),
        "no exp": (keys.token("ann", exp=None), "it lacks the claim exp"),
        "no iat": (keys.token("ann", iat=None), "it lacks the claim iat"),
        "no aud": (keys.token("ann", aud=None), "it lacks the claim aud"),
        "sub with a space": (keys.token("a b"), "its sub is not 1 to 64"),
        "sub with a line break": (keys.token("ann\n"), "its sub is not 1 to 64"),
        "long sub": (keys.token("x" * 65), "its sub is not 1 to 64"),
        "empty sub": (keys.token(""), "its sub is not 1 to 64"),
        "sub that is a number": (keys.token("ann", sub=7), "it is not well-formed"),
        "roles that are text": (keys.token("ann", roles="auditor"), "its roles are not a list"),
        "exp that is text": (keys.token("ann", exp="tomorrow"), "it is not well-formed"),
        "exp without end": (keys.token("ann", exp=1e400), "it is not well-formed"),
        "exp beyond any clock": (keys.token("ann", exp=10**400), "it is not well-formed"),
        "oversized": (keys.token("ann", more="x" * 8_192), "it is longer than any token of ours"),
        "nested header": (f"{part(b'[' * 5_000)}.{payload}.{signature}", "it is not well-formed"),
        "header of another type": (f"{part([])}.{payload}.{signature}", "it is not well-formed"),
        "key id that is a list": (f"{part({'alg': 'ES256', 'kid': ['tests']})}.{payload}.x", "it is not well-formed"),
        "no text": ("\xff\xfe.\xff.\xff", "it is not well-formed"),
    }


@pytest.mark.parametrize("name", bad_tokens(Keys()))
async def test_a_bad_token_is_a_401_that_says_why(client: httpx.AsyncClient, keys: Keys, name: str) -> None:
    token, reason = bad_tokens(keys)[name]
    response = await client.get("/things", headers=[(b"Authorization", b"Bearer " + token.encode("latin-1"))])
    assert (response.status_code, response.json()["type"]) == (401, "urn:sluice:problem:user-unknown")
    assert reason in response.json()["detail"]
    assert response.headers["www-authenticate"] == 'Bearer realm="sluice", error="invalid_token"'


async def test_a_good_token_names_its_user(client: httpx.AsyncClient, keys: Keys) -> None:
    for user in ("ann", "A.b_c-9", "x" * 64):
        assert (await client.get("/things", headers=keys.headers(user))).json() == {"user": user}


async def test_clocks_may_differ_a_little(client: httpx.AsyncClient, keys: Keys) -> None:
    for token in (keys.token("ann", seconds=-5), keys.token("ann", iat=int(time.time()) + 5)):
        assert (await client.get("/things", headers={"Authorization": f"Bearer {token}"})).status_code == 200


async def test_a_proxys_header_serves_as_well(client: httpx.AsyncClient, keys: Keys) -> None:
    headers = {"X-Forwarded-Access-Token": keys.token("bob")}
    assert (await client.get("/things", headers=headers)).json() == {"user": "bob"}


async def test_the_scheme_may_be_written_in_any_case(client: httpx.AsyncClient, keys: Keys) -> None:
    assert (await client.get("/things", headers={"authorization": f"bEARER {keys.token('ann')}"})).status_code == 200


@pytest.mark.parametrize("given", ["none", "both", "twice", "forwarded twice", "empty", "basic", "bare", "old header"])
async def test_exactly_one_token_is_taken(client: httpx.AsyncClient, keys: Keys, given: str) -> None:
    token = keys.token("ann")
    bearer, forwarded = ("Authorization", f"Bearer {token}"), ("X-Forwarded-Access-Token", token)
    headers = {
        "none": [],
        "both": [bearer, forwarded],
        "twice": [bearer, bearer],
        "forwarded twice": [forwarded, forwarded],
        "empty": [("Authorization", "Bearer ")],
        "basic": [("Authorization", "Basic YW5uOmh1bnRlcjI="), forwarded],
        "bare": [("Authorization", token)],
        "old header": [("X-User-ID", "ann")],
    }[given]
    response = await client.get("/things", headers=headers)
    assert response.status_code == 401
    assert "Bearer" in response.json()["detail"]


async def test_the_token_is_in_no_line(client: httpx.AsyncClient, keys: Keys, lines: Any) -> None:
    good, bad = keys.token("ann"), Keys().token("ann")
    for token in (good, bad):
        await client.get("/things", headers={"Authorization": f"Bearer {token}"})
    assert not [line for line in lines() if good.split(".")[2] in str(line) or bad.split(".")[2] in str(line)]


async def test_a_rotated_key_serves_without_a_restart(client: httpx.AsyncClient, keys: Keys, key_file: Path) -> None:
    new = Keys("rotated")
    assert (await client.get("/things", headers=new.headers("ann"))).status_code == 401
    replace(key_file, {"keys": [keys.public_jwk, new.public_jwk]})
    assert (await client.get("/things", headers=new.headers("ann"))).status_code == 200
    assert (await client.get("/things", headers=keys.headers("ann"))).status_code == 200
    replace(key_file, {"keys": [new.public_jwk]})
    assert (await client.get("/things", headers=keys.headers("ann"))).status_code == 401


@pytest.mark.parametrize("broken", ["{", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "EC"}]}', None])
async def test_a_broken_rotation_locks_nobody_out_and_is_told_once(
    client: httpx.AsyncClient, keys: Keys, key_file: Path, lines: Any, broken: str | None
) -> None:
    if broken is None:
        key_file.unlink()
    else:
        replace(key_file, broken)
    for _ in range(3):
        assert (await client.get("/things", headers=keys.headers("ann"))).status_code == 200
    told = [line for line in lines() if line["message"] == "the key set cannot be read"]
    assert [line["level"] for line in told] == ["ERROR"]
    new = Keys()
    replace(key_file, {"keys": [new.public_jwk]})
    assert (await client.get("/things", headers=new.headers("ann"))).status_code == 200


def replace(path: Path, content: object) -> None:
    """Put another file in its place, as a mounted secret is replaced."""
    beside = path.with_suffix(".new")
    beside.write_text(content if isinstance(content, str) else json.dumps(content))
    os.replace(beside, path)


SYMMETRIC = {"kty": "oct", "k": part(b"a secret that everybody could read"), "kid": "tests", "alg": "HS256"}


@pytest.mark.parametrize("content", ["{", "{}", '{"keys": "none"}', "7", json.dumps({"keys": [SYMMETRIC]})])
def test_a_key_file_that_is_none_is_a_mistake_in_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(content)
    monkeypatch.setenv("TOKEN_KEYS_FILE", str(path))
    with pytest.raises(SettingsError, match="TOKEN_KEYS_FILE: ") as caught:
        load_settings(TokenSettings)
    assert "secret" not in str(caught.value)


def test_a_symmetric_key_beside_a_good_one_signs_nothing(tmp_path: Path, keys: Keys) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [keys.public_jwk, SYMMETRIC | {"kid": "shared"}]}))
    verifier = TokenVerifier(TokenSettings(token_keys_file=path))
    forged = jwt.encode(claims(), "a secret that everybody could read", "HS256", headers={"kid": "shared"})
    with pytest.raises(Exception, match="no key of this service"):
        verifier.verify(forged)
    assert verifier.verify(keys.token("ann", "auditor", "x")).roles == {"auditor", "x"}


def test_another_issuer_is_refused_where_one_is_named(tmp_path: Path, keys: Keys) -> None:
    settings = TokenSettings(token_keys_file=keys.write(tmp_path / "jwks.json"), token_issuer="https://id.example")
    verifier = TokenVerifier(settings)
    assert verifier.verify(keys.token("ann", iss="https://id.example")).user == "ann"
    with pytest.raises(Exception, match="another issuer made it"):
        verifier.verify(keys.token("ann", iss="https://elsewhere.example"))
    with pytest.raises(Exception, match="it lacks the claim iss"):
        verifier.verify(keys.token("ann"))


def test_a_token_without_a_key_id_goes_with_the_only_key(service: Service, keys: Keys) -> None:
    token = jwt.encode(claims(), keys.private, "ES256")
    identity = service.app.state.verifier.verify(token)
    assert (identity.user, identity.roles) == ("ann", frozenset())
    assert identity.expires == pytest.approx(time.time() + 600, abs=60)
