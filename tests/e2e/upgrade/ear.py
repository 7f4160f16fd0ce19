"""A client of sync's WebSocket that loses its connections, as clients do, and wants to have missed nothing."""

import json
import time
from dataclasses import dataclass, field

import anyio
import httpx
from tests.e2e.websocket.listening import Sync
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from sluice.errors import SluiceError

_LOST = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError, SluiceError, httpx.HTTPError, AssertionError)
_PAUSE_SECONDS = 0.1


@dataclass
class Ear:
    """Connects again, with what it heard last, whenever its connection ends. `ended` has the cause of each end."""

    sync: Sync
    user: str
    heard: list[tuple[int, str]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    longest_silence: float = 0.0
    connected: bool = False

    async def listen(self) -> None:
        """Listen until cancelled."""
        after: int | None = None
        lost: float | None = None
        while True:
            try:
                async with self.sync.listening(self.user, after=after) as listener:
                    if lost is not None:
                        self.longest_silence = max(self.longest_silence, time.monotonic() - lost)
                        lost = None
                    after = listener.hello["sequence"] if after is None else after
                    self.connected = True
                    while True:
                        message = json.loads(await listener.socket.recv())
                        if message["type"] == "change":
                            after = message["sequence"]
                            self.heard.append((message["sequence"], message["event"]["task_id"]))
            except* _LOST as errors:
                if lost is None:
                    lost = time.monotonic()
                    self.ended.append(_told(errors))
            await anyio.sleep(_PAUSE_SECONDS)


def _told(error: BaseException) -> str:
    """What ended a connection: the close code where there is one."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(map(_told, error.exceptions)))
    code = str(error.rcvd.code) if isinstance(error, ConnectionClosed) and error.rcvd else ""
    return code or f"{type(error).__name__}: {error}"[:200]
