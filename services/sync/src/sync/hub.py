"""The connections of this replica, by owner: what is new in a stream is read once and handed to each of them.

A stream that grew is noted, and a few workers read the noted streams page by page, in turn, each stream by one worker
at a time. What a connection gets next is decided by its own last sequence, so that it does not matter how often, in
which order or how late streams are noted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from servicekit.background import Background
from servicekit.context import working_on
from servicekit.problems import Problem
from sync.close_codes import CloseCode
from sync.connection import Connection, Message
from sync.messages import ChangeEvent, ChangeMessage
from sync.metrics import SyncMetrics
from sync.models import Change
from sync.store import Store

# Rows of one read. Bodies can be large: this bounds what is held for one stream.
PAGE = 50
# Each takes a connection of the pool, which events and requests also need.
_WORKERS = 3
_RETRY_SECONDS = 1.0

_log = structlog.stdlib.get_logger("sync.hub")


@dataclass(eq=False)
class Channel:
    """An owner's connections here. `live` ones get what is new; the others still catch up by themselves.

    `known` is the last sequence that was heard of; `noted` and `reading` keep a second worker away.
    """

    owner: str
    connections: set[Connection] = field(default_factory=set)
    live: set[Connection] = field(default_factory=set)
    known: int = 0
    noted: bool = False
    reading: bool = False

    def behind(self) -> list[Connection]:
        """Return the live connections that lack something that was heard of."""
        return [one for one in self.live if one.queued < self.known and not one.ended]


class Hub:
    """All connections of this replica, and the work that feeds them."""

    def __init__(self, store: Store, metrics: SyncMetrics, *, spread_seconds: float) -> None:
        self.draining = False
        self._store = store
        self._metrics = metrics
        self._spread = spread_seconds
        self._channels: dict[str, Channel] = {}
        self._noted: asyncio.Queue[Channel] = asyncio.Queue()
        self._count = 0

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return self._count

    def connections_of(self, owner: str) -> int:
        """How many of them one user has."""
        channel = self._channels.get(owner)
        return len(channel.connections) if channel else 0

    def add(self, connection: Connection) -> None:
        """Hold a connection; it counts, and hears of nothing yet."""
        channel = self._channels.setdefault(connection.owner, Channel(connection.owner))
        channel.connections.add(connection)
        self._count += 1
        self._metrics.active.inc()

    def go_live(self, connection: Connection) -> None:
        """Begin to hand a connection what comes after its `queued`; whatever was heard of since it was added counts."""
        channel = self._channels[connection.owner]
        channel.live.add(connection)
        self._note(channel)

    def remove(self, connection: Connection) -> None:
        """Let go of a connection."""
        channel = self._channels[connection.owner]
        channel.connections.discard(connection)
        channel.live.discard(connection)
        if not channel.connections:
            del self._channels[connection.owner]
        self._count -= 1
        self._metrics.active.dec()

    def grown(self, owner: str, sequence: int) -> None:
        """Hear that a stream has a sequence; never waits."""
        channel = self._channels.get(owner)
        if channel is not None:
            channel.known = max(channel.known, sequence)
            self._note(channel)

    async def catch_up(self) -> None:
        """Look at the streams of all owners here: announcements may have been missed."""
        for owner, sequence in (await self._store.last_sequences(list(self._channels))).items():
            self.grown(owner, sequence)

    def drain(self) -> None:
        """Close all connections one after another over the spread, and take no more; never waits."""
        self.draining = True
        loop = asyncio.get_running_loop()
        for number, connection in enumerate(self._all()):
            loop.call_later(self._spread * number / self._count, connection.end, *DRAINING)

    def background(self) -> Background:
        """The workers, for the app to run."""
        return Background("hub", self.work)

    async def work(self) -> None:
        """Hand out what is new, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_WORKERS):
                group.create_task(self._worker())

    def _all(self) -> Iterator[Connection]:
        for channel in self._channels.values():
            yield from channel.connections

    def _note(self, channel: Channel) -> None:
        if not channel.noted and not channel.reading and channel.behind():
            channel.noted = True
            self._noted.put_nowait(channel)

    async def _worker(self) -> None:
        while True:
            channel = await self._noted.get()
            channel.noted, channel.reading = False, True
            try:
                await self._hand_out(channel)
            except Problem as error:
                _log.warning("changes wait", error=str(error.detail), user=channel.owner)
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:  # noqa: BLE001 - one owner's trouble must stop nobody else's changes
                _log.exception("changes cannot be handed out", user=channel.owner)
                for connection in channel.live:
                    connection.end(CloseCode.INTERNAL_ERROR, "the service failed; connect again")
            finally:
                channel.reading = False
                self._note(channel)

    async def _hand_out(self, channel: Channel) -> None:
        """Read the next page for the connection that is furthest behind, and hand it to all that lack it."""
        members = channel.behind()
        if not members:
            return
        after = min(one.queued for one in members)
        changes = await self._store.read(channel.owner, after, PAGE)
        _end_those_that_missed(members, changes[0].sequence if changes else channel.known + 1)
        for change in changes:
            message = message_of(change)
            pushed = sum(one.offer(message) for one in members)
            if pushed:
                _tell(change, pushed)
                # Senders run now: a burst must not fill the queue of a client that reads fast enough.
                await asyncio.sleep(0)


DRAINING = (CloseCode.DRAINING, "this replica stops; connect again")
GONE = "what came after the resume point is not kept any more; fetch everything anew"


def message_of(change: Change) -> Message:
    """Return a change as the message that clients get."""
    text = ChangeMessage(sequence=change.sequence, event=ChangeEvent.of(change)).model_dump_json()
    return Message(change.sequence, text, len(text.encode()), change.time.timestamp())


def _end_those_that_missed(members: Sequence[Connection], oldest: int) -> None:
    """Retention was faster than a connection: it cannot go on without a gap."""
    for one in members:
        if one.queued + 1 < oldest:
            one.end(CloseCode.RESUME_POINT_GONE, GONE)


def _tell(change: Change, connections: int) -> None:
    with working_on(change.traceparent, user=change.owner):
        _log.info(
            "event pushed",
            type=change.type,
            event_id=change.event_id,
            task_id=str(change.task_id),
            sequence=change.sequence,
            connections=connections,
        )
