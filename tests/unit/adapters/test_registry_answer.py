"""Whether a registry lets us in: by Basic, token, refresh token or credential helper; and what is never shown."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sluice.adapters.registry.access import Access
from sluice.adapters.registry.answer import Answer, try_registry

pytestmark = pytest.mark.anyio

REPOSITORY = "registry.acme.org:5443/team/sluice"
HOST, PATH = "registry.acme.org:5443", "/v2/team/sluice/releases/tags/list"
REALM = "https://auth.acme.org/token"
SECRET = "hunter2"
BASIC = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()
Handler = Callable[[httpx.Request], httpx.Response]


def docker_configuration(folder: Path, content: dict[str, Any]) -> Access:
    path = folder / "config.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return Access(credentials=path)


def login(folder: Path, **more: str) -> Access:
    return docker_configuration(folder, {"auths": {HOST: {"auth": BASIC.removeprefix("Basic "), **more}}})


async def tried(handler: Handler, access: Access) -> Answer:
    answer = await try_registry(REPOSITORY, access, transport=httpx.MockTransport(handler))
    assert SECRET not in repr(answer)
    assert "minted" not in repr(answer)
    return answer


def basic(request: httpx.Request) -> httpx.Response:
    """A registry that knows one user, and asks by Basic."""
    if request.headers.get("Authorization") != BASIC:
        return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="acme"'})
    return httpx.Response(200 if request.url.path in ("/v2/", PATH) else 404, json={})


def by_token(grant: Handler, *, found: int = 200) -> Handler:
    """A registry that sends us to a token service, which is `grant`."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.acme.org":
            return grant(request)
        if request.headers.get("Authorization") == "Bearer minted":
            return httpx.Response(found, json={})
        challenge = f'Bearer realm="{REALM}",service="acme",scope="x"'
        return httpx.Response(401, headers={"WWW-Authenticate": challenge})

    return answer


async def test_a_user_is_let_in_and_a_wrong_password_is_not(tmp_path: Path) -> None:
    assert await tried(basic, login(tmp_path)) == Answer("allowed", "it may be read")
    wrong = {"auths": {HOST: {"username": "me", "password": "other"}}}
    refused = Answer("refused", "401, asked for team/sluice as me")
    assert await tried(basic, docker_configuration(tmp_path, wrong)) == refused
    nobody = Answer("refused", "401, asked for team/sluice without credentials")
    assert await tried(basic, docker_configuration(tmp_path, {"auths": {"other.org": {}}})) == nobody
    assert await tried(basic, Access(credentials=tmp_path / "none")) == nobody


async def test_a_token_is_asked_for_what_a_promotion_does(tmp_path: Path) -> None:
    def grant(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == BASIC
        assert dict(request.url.params) == {"service": "acme", "scope": "repository:team/sluice/releases:pull,push"}
        return httpx.Response(200, json={"token": "minted"})

    assert await tried(by_token(grant), login(tmp_path)) == Answer("allowed", "it may be read")
    empty = Answer("allowed", "it may be read, and holds no release yet")
    assert await tried(by_token(grant, found=404), login(tmp_path)) == empty
    denied = await tried(by_token(grant, found=403), login(tmp_path))
    assert denied == Answer("refused", "403, asked for team/sluice as me")
    refused = await tried(by_token(lambda _: httpx.Response(401, json={"m": SECRET})), login(tmp_path))
    assert refused == Answer("refused", "401, asked for a token as me")


async def test_a_refresh_token_is_changed_for_one(tmp_path: Path) -> None:
    """As `az acr login` leaves it."""

    def grant(request: httpx.Request) -> httpx.Response:
        assert "Authorization" not in request.headers
        form = dict(httpx.QueryParams(request.content.decode()))
        assert (form["grant_type"], form["refresh_token"], form["service"]) == ("refresh_token", SECRET, "acme")
        return httpx.Response(200, json={"access_token": "minted"})

    found = await tried(by_token(grant), login(tmp_path, identitytoken=SECRET))
    assert found == Answer("allowed", "it may be read")


@pytest.mark.parametrize(("user", "state"), [("me", "allowed"), ("other", "refused")])
async def test_a_credential_helper_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str, state: str
) -> None:
    helper = tmp_path / "docker-credential-acme"
    told = json.dumps({"Username": user, "Secret": SECRET})
    helper.write_text(f"#!/bin/sh\n[ \"$1 $(cat)\" = 'get {HOST}' ] && echo '{told}'\n", encoding="utf-8")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    access = docker_configuration(tmp_path, {"credHelpers": {HOST: "acme"}})
    assert (await tried(basic, access)).state == state


async def test_a_helper_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = await tried(basic, docker_configuration(tmp_path, {"credsStore": "nowhere"}))
    assert (found.state, "docker-credential-nowhere" in found.seen) == ("refused", True)


async def test_what_cannot_be_understood_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    assert (await tried(basic, Access(credentials=tmp_path / "config.json"))).state == "silent"
    page = by_token(lambda _: httpx.Response(200, text="<html>"))
    assert (await tried(page, login(tmp_path))).state == "silent"
    assert await tried(lambda _: httpx.Response(503), login(tmp_path)) == Answer("silent", "GET /v2/: 503")


async def test_credentials_never_go_to_a_token_service_by_http(tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.scheme)
        return httpx.Response(401, headers={"WWW-Authenticate": 'Bearer realm="http://auth.acme.org/token"'})

    assert (await tried(answer, login(tmp_path))).state == "silent"
    assert seen == ["https"]


async def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("x", encoding="utf-8")
    found = await tried(basic, Access(credentials=login(tmp_path).credentials, ca=tmp_path / "ca.crt"))
    assert found.state == "silent"
