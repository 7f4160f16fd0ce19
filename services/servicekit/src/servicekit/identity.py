"""Who is asking: a signed token (JWT, RFC 7519), held to the keys of a mounted JWK Set (RFC 7517).

The token comes as `Authorization: Bearer …`, or as `X-Forwarded-Access-Token` where what stands in front keeps the
first header for itself (Kubernetes' service proxy does, and OAuth2 proxies send the second one).
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

import jwt
import structlog
from fastapi import Depends
from starlette.requests import HTTPConnection

from servicekit.context import current_context
from servicekit.problems import Problem
from servicekit.settings import TokenSettings, read_keys

FORWARDED_HEADER = "X-Forwarded-Access-Token"
# Clocks of hosts differ by a little.
_LEEWAY_SECONDS = 10
_LONGEST_TOKEN = 8_192
_REMEMBERED = 500
_USER_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CAUSES: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "it has expired"),
    (jwt.InvalidAudienceError, "it is meant for another audience"),
    (jwt.InvalidIssuerError, "another issuer made it"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidSignatureError, "its signature does not fit the key"),
    (jwt.InvalidAlgorithmError, "it is signed by another algorithm than its key's"),
)

_log = structlog.stdlib.get_logger("servicekit.identity")


@dataclass(frozen=True)
class Identity:
    """A user, the roles that the token grants, and when it ends (seconds since the epoch)."""

    user: str
    roles: frozenset[str]
    expires: float


class InvalidToken(Exception):
    """Raised when a token proves nothing; the text says why and is safe to show."""


class TokenVerifier:
    """Checks tokens against the key set; a file that was replaced (a rotated key) is read anew."""

    def __init__(self, settings: TokenSettings) -> None:
        self._path = settings.token_keys_file
        self._audience = settings.token_audience
        self._issuer = settings.token_issuer or None
        # Broken already here, and no key is at hand: the settings have just refused that.
        self._stamp = self._stamp_of_file()
        self._keys = read_keys(self._path)
        # Good tokens that were checked against these keys: a user sends the same one many times.
        self._known: OrderedDict[str, Identity] = OrderedDict()

    def verify(self, token: str) -> Identity:
        """Return whose token it is. Raises InvalidToken."""
        self._read_again()
        known = self._known.get(token)
        if known is not None and time.time() < known.expires:
            return known
        identity = self._checked(token)
        while len(self._known) >= _REMEMBERED:
            self._known.popitem(last=False)
        self._known[token] = identity
        return identity

    def _checked(self, token: str) -> Identity:
        if len(token) > _LONGEST_TOKEN:
            raise InvalidToken("it is longer than any token of ours")
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token,
                key,
                # The key decides, never the token: that would let anybody choose `none`.
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["sub", "exp", "iat", "aud"]},
            )
            return _identity(claims)
        except jwt.MissingRequiredClaimError as error:
            raise InvalidToken(f"it lacks the claim {error.claim}") from error
        except jwt.PyJWTError as error:
            cause = next((said for kind, said in _CAUSES if isinstance(error, kind)), "it is not well-formed")
            raise InvalidToken(cause) from error
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            # JSON can hold what no claim should be, and a header is read before its signature is known to be good.
            raise InvalidToken("it is not well-formed") from error

    def _key(self, kid: str | None) -> jwt.PyJWK:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if kid not in self._keys:
            raise InvalidToken("no key of this service has its key id")
        return self._keys[kid]

    def _read_again(self) -> None:
        stamp = self._stamp_of_file()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = read_keys(self._path)
            self._known.clear()
        except (OSError, ValueError) as error:
            # The keys at hand still serve: half a rotation must not lock everybody out.
            _log.error("the key set cannot be read", error=f"{type(error).__name__}: {error}"[:200])

    def _stamp_of_file(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_ino)


def _identity(claims: dict[str, Any]) -> Identity:
    user, roles = claims["sub"], claims.get("roles", [])
    if not _USER_ID.fullmatch(user):
        raise InvalidToken("its sub is not 1 to 64 of A-Z a-z 0-9 . _ -")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise InvalidToken("its roles are not a list of text")
    return Identity(user, frozenset(roles), float(claims["exp"]))


def token_of(connection: HTTPConnection) -> str:
    """Return the connection's one token. Raises InvalidToken where there is none, or more than one."""
    found = list(connection.headers.getlist(FORWARDED_HEADER))
    for given in connection.headers.getlist("Authorization"):
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer":
            raise InvalidToken("the Authorization header is not of the Bearer scheme")
        found.append(token.strip())
    # More than one is refused: a proxy and this service might not agree on which one counts.
    if len(found) != 1 or not found[0]:
        raise InvalidToken(f"send exactly one token, as Authorization: Bearer or {FORWARDED_HEADER}")
    return found[0]


async def current_identity(connection: HTTPConnection) -> Identity:
    """Return who asks and put the user on the log lines, or answer 401 (RFC 6750)."""
    verifier: TokenVerifier = connection.app.state.verifier
    try:
        identity = verifier.verify(token_of(connection))
    except InvalidToken as error:
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            f"The token is not accepted: {error}.",
            kind="user-unknown",
            headers={"WWW-Authenticate": 'Bearer realm="sluice", error="invalid_token"'},
        ) from None
    context = current_context()
    if context is not None:
        context.user_id = identity.user
    return identity


CurrentIdentity = Annotated[Identity, Depends(current_identity)]


async def current_user(identity: CurrentIdentity) -> str:
    """Return the id of who asks."""
    return identity.user


CurrentUser = Annotated[str, Depends(current_user)]
