"""Whether a registry lets somebody in: the credentials of a Docker configuration, tried without changing anything.

The API: https://github.com/opencontainers/distribution-spec/blob/main/spec.md; how tokens are asked for:
https://distribution.github.io/distribution/spec/auth/token/ and, by a refresh token, …/spec/auth/oauth/.
"""

import base64
import json
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from sluice.adapters.process import run
from sluice.adapters.registry.access import Access
from sluice.errors import SluiceError, in_a_line

_SECONDS = 10.0
_IDENTITY = "<token>"  # a helper's user name where the secret is a refresh token
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Answer:
    """`allowed`: the repository may be read. `refused`: the registry said no. `silent`: it said nothing of use."""

    state: Literal["allowed", "refused", "silent"]
    seen: str


@dataclass(frozen=True)
class _Login:
    """Who we are to a registry. `refresh` is a token that others are made from; of none of the three, nobody."""

    user: str = ""
    password: str = ""
    refresh: str = ""

    def __repr__(self) -> str:  # it may end up in a message
        return f"_Login({self.user!r})"


async def try_registry(repository: str, access: Access, *, transport: httpx.AsyncBaseTransport | None = None) -> Answer:
    """Return what a registry says to reading `repository` with these credentials; raises nothing."""
    host, _, path = repository.partition("/")
    try:
        login = await _login(access.credentials, host)
        base = f"{'http' if access.plain else 'https'}://{host}"
        async with httpx.AsyncClient(
            base_url=base,
            verify=ssl.create_default_context(cafile=str(access.ca) if access.ca else None),
            transport=transport,
            timeout=_SECONDS,
            trust_env=not host.startswith(("localhost", "127.0.0.1")),
        ) as client:
            return await _ask(client, path, login)
    except SluiceError as error:
        return Answer("refused", in_a_line(error))
    except (httpx.HTTPError, OSError) as error:
        return Answer("silent", f"{type(error).__name__}: {error}".rstrip(": "))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Answer("silent", f"an answer, or a Docker configuration, of another form ({type(error).__name__})")


async def _ask(client: httpx.AsyncClient, path: str, login: _Login) -> Answer:
    first = await client.get("/v2/")
    challenge = first.headers.get("WWW-Authenticate", "")
    headers: dict[str, str] = {}
    if first.status_code == httpx.codes.UNAUTHORIZED:
        scheme = challenge.partition(" ")[0].lower()
        if scheme == "bearer":
            response = await _token(client, dict(_PARAMETER.findall(challenge)), path, login)
            if response.is_error:
                return Answer("refused", _told(response, login, "asked for a token"))
            told = response.json()
            headers["Authorization"] = f"Bearer {told.get('token') or told['access_token']}"
        elif scheme == "basic":
            headers |= _basic(login)
    elif first.is_error:
        return Answer("silent", f"GET /v2/: {first.status_code}")
    found = await client.get(f"/v2/{path}/releases/tags/list" if path else "/v2/", headers=headers)
    if found.is_success:
        return Answer("allowed", "it may be read")
    if found.status_code == httpx.codes.NOT_FOUND:
        return Answer("allowed", "it may be read, and holds no release yet")
    return Answer("refused", _told(found, login, f"asked for {path}"))


async def _token(client: httpx.AsyncClient, challenge: dict[str, str], path: str, login: _Login) -> httpx.Response:
    realm = httpx.URL(challenge["realm"])
    if realm.scheme != "https" and client.base_url.scheme == "https":
        raise ValueError("the token service is not asked by HTTP")
    asked = {"service": challenge.get("service", ""), "scope": f"repository:{path}/releases:pull,push"}
    if login.refresh:
        form = {**asked, "grant_type": "refresh_token", "client_id": "sluice", "refresh_token": login.refresh}
        return await client.post(realm, data=form)
    return await client.get(realm.copy_merge_params(asked), headers=_basic(login))


def _basic(login: _Login) -> dict[str, str]:
    if not login.user:
        return {}
    pair = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _told(response: httpx.Response, login: _Login, asked: str) -> str:
    who = f"as {login.user}" if login.user else "by a refresh token" if login.refresh else "without credentials"
    return f"{response.status_code}, {asked} {who}"


async def _login(file: Path | None, host: str) -> _Login:
    """What a Docker configuration knows of a registry; https://docs.docker.com/reference/cli/docker/login/."""
    if file is None or not file.is_file():
        return _Login()
    given: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    helper = (given.get("credHelpers") or {}).get(host) or given.get("credsStore")
    if helper:
        return await _from_helper(helper, host)
    logins = given.get("auths") or {}
    found: dict[str, str] = next(
        (logins[key] for key in (host, f"https://{host}", f"https://{host}/v2/") if key in logins), {}
    )
    user, _, password = base64.b64decode(found.get("auth") or "").decode().partition(":")
    return _Login(
        found.get("username") or user,
        found.get("password") or password,
        found.get("identitytoken") or "",
    )


async def _from_helper(helper: str, host: str) -> _Login:
    """By https://github.com/docker/docker-credential-helpers: the host on stdin, JSON on stdout."""
    program = f"docker-credential-{helper}"
    done = await run([program, "get"], stdin=host.encode(), deadline_seconds=_SECONDS, check=False, what=program)
    if done.status != 0:  # it knows nobody; what it wrote stays where it is
        return _Login()
    told = json.loads(done.stdout)
    if told["Username"] == _IDENTITY:
        return _Login(refresh=told["Secret"])
    return _Login(told["Username"], told["Secret"])
