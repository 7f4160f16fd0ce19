"""What Prometheus thinks of every alert and what the receivers were told, asked once a second for all drills."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx

from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.errors import SluiceError

KINDS = {"critical": {"pagerduty", "webhook"}, "warning": {"slack", "email"}}
_EVERY = 1.0


class NotSeen(Exception):
    """What was waited for did not come; says what was seen instead."""


@dataclass
class Watch:
    """The alerts as they are, and the receivers' record as far as it was read."""

    prometheus: ServiceProxy
    receivers: ServiceProxy
    alerts: list[dict[str, Any]] = field(default_factory=list)
    record: list[dict[str, Any]] = field(default_factory=list)
    rounds: int = 0

    async def run(self) -> None:
        """Ask until cancelled; a server that is away for a moment is asked again."""
        while True:
            with suppress(SluiceError, httpx.HTTPError, ValueError, KeyError):
                await self.look()
            await anyio.sleep(_EVERY)

    async def look(self) -> None:
        """Ask once."""
        answer = await self.prometheus.get("/api/v1/alerts")
        self.alerts = answer.json()["data"]["alerts"]
        after = str(self.record[-1]["number"] if self.record else 0)
        self.record += (await self.receivers.get("/record", params={"after": after})).json()["items"]
        self.rounds += 1

    def active(self, name: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """The pending and firing alerts of a name that have these labels."""
        asked = {"alertname": name, **labels}
        return [one for one in self.alerts if asked.items() <= one["labels"].items()]

    def told(self, alert: Mapping[str, str], since: float) -> dict[str, dict[str, Any]]:
        """The last message of each kind about an alert's group since a time, by the receivers' clock."""
        about = tuple(alert.get(name, "") for name in ("alertname", "namespace", "service"))
        own = (one for one in self.record if (one["alert"], one["namespace"], one["service"]) == about)
        return {one["kind"]: one for one in own if one["at"] >= since}

    async def until(self, seen: Callable[[], bool], *, within: float, cause: Callable[[], str]) -> float:
        """Return the time at which `seen` first was true. Raises NotSeen after so many seconds."""
        with anyio.move_on_after(within):
            while True:
                if self.rounds and seen():
                    return time.time()
                await anyio.sleep(_EVERY / 4)
        raise NotSeen(f"not within {within:g} s: {cause()}")
