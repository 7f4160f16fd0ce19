"""Who may connect, and from where: token, origin, resume point and limits of a WebSocket that was asked for."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from starlette.websockets import WebSocket

from servicekit.identity import FORWARDED_HEADER, Identity, InvalidToken, TokenVerifier, token_of
from sync.close_codes import CloseCode, Ended
from sync.hub import DRAINING, Hub
from sync.metrics import Outcome
from sync.settings import SyncSettings

SUBPROTOCOL = "sluice.v1"
_TOKEN_PREFIX = "bearer."  # what comes before a browser's token; it can set no header
_LONGEST_SEQUENCE = 18  # digits: below 2^63, which the database counts to


class Refused(Ended):
    """Raised where a connection is not to be; `outcome` is the metric's word for it."""

    def __init__(self, code: int, reason: str, outcome: Outcome) -> None:
        super().__init__(code, reason)
        self.outcome = outcome


def origin_accepted(websocket: WebSocket, allowed: tuple[str, ...]) -> bool:
    """Say whether the page that connects may: one of the same host, or of an allowed origin.

    Only browsers send an origin, and always do. Where a proxy turns a cookie into the token, this check is what
    keeps other sites' pages from subscribing in the user's name.
    """
    origin = websocket.headers.get("origin")
    if origin is None:
        return True
    origin = origin.rstrip("/").lower()
    return origin in allowed or urlsplit(origin).netloc == websocket.headers.get("host", "").lower()


def subprotocol_of(websocket: WebSocket) -> str | None:
    """Return the subprotocol to answer with: ours where the client offers it, and never the one with the token."""
    return SUBPROTOCOL if SUBPROTOCOL in websocket.scope["subprotocols"] else None


def admit(websocket: WebSocket, verifier: TokenVerifier, hub: Hub, settings: SyncSettings) -> Identity:
    """Return who connects. Raises Refused."""
    if hub.draining:
        raise Refused(*DRAINING, "draining")
    if hub.connections >= settings.max_connections:
        raise Refused(CloseCode.TRY_LATER, f"this replica holds {hub.connections} connections, its most", "limited")
    try:
        identity = verifier.verify(_token(websocket))
    except InvalidToken as error:
        raise Refused(CloseCode.TOKEN, f"the token is not accepted: {error}", "unauthorized") from None
    # A subscription ends with its token to the second, so the verifier's leeway would only make clients come and go.
    if identity.expires <= time.time():
        raise Refused(CloseCode.TOKEN, "the token has expired", "unauthorized")
    if hub.connections_of(identity.user) >= settings.max_connections_per_user:
        told = f"the user has {settings.max_connections_per_user} connections, the most of one replica"
        raise Refused(CloseCode.TRY_LATER, told, "limited")
    return identity


def resume_point(websocket: WebSocket) -> int | None:
    """Return the last sequence that the client has, or None for changes from now on. Raises Refused."""
    given = websocket.query_params.getlist("after")
    if not given:
        return None
    if len(given) > 1 or not (given[0].isascii() and given[0].isdecimal() and len(given[0]) <= _LONGEST_SEQUENCE):
        raise Refused(CloseCode.NOT_UNDERSTOOD, "expected one whole number in the query: ?after=17", "bad_request")
    return int(given[0])


def _token(websocket: WebSocket) -> str:
    offered: list[str] = [one for one in websocket.scope["subprotocols"] if one.startswith(_TOKEN_PREFIX)]
    if not offered:
        return token_of(websocket)
    if len(offered) > 1 or "authorization" in websocket.headers or FORWARDED_HEADER in websocket.headers:
        raise InvalidToken("send exactly one token, in a header or as a subprotocol")
    return offered[0].removeprefix(_TOKEN_PREFIX)
