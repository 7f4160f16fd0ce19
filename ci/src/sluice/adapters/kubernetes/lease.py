"""The promotion lock of a target: a Lease that its holder renews, so that one of a killed holder runs out.

By the rules of client-go's leader election (k8s.io/client-go/tools/leaderelection), with no clock but our own: a holder
counts as gone when its Lease did not change for as long as it lasts, while we looked at it. Every write carries the
resourceVersion of what was read, so of two that want the lock at once the API server lets one have it.
"""

import math
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx

from sluice.adapters.kubernetes.answers import refused
from sluice.adapters.kubernetes.asking import ask, asked
from sluice.adapters.kubernetes.holder import gone, this_process
from sluice.errors import ClusterError, LockLost, PromotionUnderWay, in_a_line

NAME = "sluice-promotion"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": "sluice"}
# Of each time that the lock is taken, another one: the holder's name may be that of a process before, or of a namesake.
_CLAIM = "sluice.dev/claim"
_PROCESS = "sluice.dev/process"
_LONGEST_SECONDS = 300.0  # that a Lease of any other kind of holder is believed to last
_RELEASE_SECONDS = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Held:
    """The lock, as long as the body runs. `after` is the holder it was taken over from; empty where it was free."""

    holder: str
    after: str = ""


@asynccontextmanager
async def held(
    client: httpx.AsyncClient,
    namespace: str,
    *,
    holder: str,
    seconds: float = 30.0,
    patience_seconds: float = 0.0,
    say: Say | None = None,
) -> AsyncIterator[Held]:
    """Hold the promotion lock of a namespace, and let it go at the end. `holder` is what others are told of us.

    A lock whose holder was killed is taken over: at once where its process ran on this kernel, else after the seconds
    that it lasts, which are waited for whatever the patience. Raises PromotionUnderWay where a holder that renews it
    still has it after `patience_seconds`, and ClusterError where the API server refuses or does not answer.
    When the lock cannot be renewed in time or somebody else has it, the body is cancelled, and LockLost raised.
    """
    lock = _Lock(client, namespace, holder, seconds)
    lost: list[LockLost] = []
    failure: Exception | None = None

    async def renewing(scope: anyio.CancelScope) -> None:
        try:
            await lock.renew()
        except LockLost as error:
            lost.append(error)
            scope.cancel()

    try:
        after = await lock.take(patience_seconds, say or (lambda _: None))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(renewing, tasks.cancel_scope)
            try:
                yield Held(holder, after)
            except Exception as error:  # noqa: BLE001 - raised below as it is, and not in a group
                failure = error
            tasks.cancel_scope.cancel()
    finally:
        await lock.release()
    if lost:
        raise lost[0] from failure
    if failure:
        raise failure


class _Lock:
    def __init__(self, client: httpx.AsyncClient, namespace: str, holder: str, seconds: float) -> None:
        self._client = client
        self._namespace = namespace
        self._holder = holder
        self._seconds = seconds
        self._pause = min(1.0, seconds / 10)
        self._claim = uuid.uuid4().hex
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._what = f"the promotion lock in {namespace}"
        self._item: Any = None  # as we last wrote it, or found it
        self._renewed = -math.inf  # when the last write that succeeded was sent
        self._tried = False

    async def take(self, patience: float, say: Say) -> str:
        """Take it, and return from whom; "" where it was free."""
        begun = anyio.current_time()
        watch = _Watch(self._seconds)
        told = ""
        while True:
            item = await self._get()
            watch.look(item)
            other = "" if self._ours(item) else _holder(item)
            dead = gone(_annotations(item).get(_PROCESS, ""))
            if not other or dead or watch.over():
                if await self._write(item, renew=False):
                    if other:
                        why = "its process is gone" if dead else f"it did not renew it for {watch.lasts:.0f} s"
                        say(f"the promotion lock of {other} is taken over: {why}")
                    return other
            elif watch.alive and anyio.current_time() - begun >= patience:
                raise self._under_way(item)
            elif (waits := self._waits(watch, other, item, patience)) != told:
                told = waits
                say(told)
            await anyio.sleep(self._pause)

    async def renew(self) -> None:
        """Renew it for as long as nobody cancels. Raises LockLost a third of its time before it runs out."""
        while True:
            await anyio.sleep(max(0.0, self._renewed + self._seconds / 3 - anyio.current_time()))
            left = self._renewed + self._seconds * 2 / 3 - anyio.current_time()
            last = "no answer"
            # At least one try: whoever was stopped for long has it still, where nobody else wanted it.
            with anyio.move_on_after(max(left, self._seconds / 6)) as limit:
                while True:
                    try:
                        if await self._write(self._item, renew=True, longest_seconds=0):
                            break
                        self._item = await self._get(longest_seconds=0)
                    except ClusterError as error:
                        last = in_a_line(error)
                        await anyio.sleep(self._pause)
                        continue
                    # One that was deleted is made again; one of ours was written, and the answer was lost.
                    if self._item is not None and not self._ours(self._item):
                        raise self._lost(f"{_holder(self._item) or 'nobody'} has it")
            if limit.cancelled_caught:
                raise self._lost(last)

    async def release(self) -> None:
        """Let it go, where it is ours. What does not succeed runs out by itself."""
        if not self._tried:
            return
        with anyio.move_on_after(_RELEASE_SECONDS, shield=True), suppress(ClusterError):
            item = await self._get()
            while self._ours(item) and not await self._write(item, renew=True, holder=""):
                item = await self._get()

    async def _get(self, *, longest_seconds: float = 10.0) -> Any:
        path = f"{self._path}/{NAME}"
        response = await asked(self._client, "GET", path, self._what, besides=404, longest_seconds=longest_seconds)
        # 404: of a namespace that is not there, too, which creating it tells.
        return None if response.status_code == 404 else response.json()

    async def _write(self, item: Any, *, renew: bool, holder: str | None = None, longest_seconds: float = 10.0) -> bool:
        """Whether it was written: not where somebody else changed it after it was read."""
        sent, self._tried = anyio.current_time(), True
        what = f"to write {self._what}"
        body = self._body(item, renew=renew, holder=self._holder if holder is None else holder)
        method, path = ("PUT", f"{self._path}/{NAME}") if item else ("POST", self._path)
        response = await ask(self._client, method, path, what, body=body, longest_seconds=longest_seconds)
        if response.status_code == 409:
            return False
        if not response.is_success:
            raise refused(response, what)
        self._item, self._renewed = response.json(), sent
        return True

    def _body(self, item: Any, *, renew: bool, holder: str) -> dict[str, Any]:
        metadata = dict(item["metadata"]) if item else {"name": NAME, "labels": LABELS}
        metadata.pop("managedFields", None)
        old = (item or {}).get("spec") or {}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = {_CLAIM: self._claim, _PROCESS: this_process()}
        metadata["annotations"] = {**_annotations(item), **ours}
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": math.ceil(self._seconds),
            "acquireTime": (renew and old.get("acquireTime")) or now,
            "renewTime": now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (0 if renew or not item else 1),
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    def _ours(self, item: Any) -> bool:
        return _holder(item) == self._holder and _annotations(item).get(_CLAIM) == self._claim

    def _waits(self, watch: "_Watch", other: str, item: Any, patience: float) -> str:
        since = f"{other} has the promotion lock since {_since(item)}"
        if watch.alive:
            return f"{since} and renews it; waiting up to {patience:.0f} s until it is free"
        return f"{since}; waiting up to {watch.lasts:.0f} s to see whether it is alive"

    def _under_way(self, item: Any) -> PromotionUnderWay:
        return PromotionUnderWay(
            f"another promotion is under way in the namespace {self._namespace}",
            seen=f"{_holder(item)} has the lock since {_since(item)} and renews it",
            expected="one promotion at a time",
            next_command=f"wait until it has ended, then run this again: kubectl --namespace {self._namespace} get "
            f"lease {NAME} --watch",
        )

    def _lost(self, seen: str) -> LockLost:
        return LockLost(
            f"{self._what} could not be kept, so the promotion was stopped",
            seen=seen,
            expected=f"{self._holder} renews it every {self._seconds / 3:.0f} s",
            next_command="run the same command again: it goes on from where this one got to",
        )


class _Watch:
    """What was seen of a Lease: since when it did not change, and whether it ever did."""

    def __init__(self, seconds: float) -> None:
        self.alive = False
        self.lasts = seconds
        self._default = seconds
        self._seen: Any = None
        self._since = math.inf

    def look(self, item: Any) -> None:
        """Take note of what it is now."""
        spec = (item or {}).get("spec") or {}
        record = (spec.get("holderIdentity"), spec.get("renewTime"), _annotations(item).get(_CLAIM))
        if record != self._seen:
            self.alive = self._seen is not None
            self._seen, self._since = record, anyio.current_time()
            self.lasts = min(float(spec.get("leaseDurationSeconds") or self._default), _LONGEST_SECONDS)

    def over(self) -> bool:
        """Whether it did not change for as long as it lasts."""
        return anyio.current_time() - self._since >= self.lasts


def _annotations(item: Any) -> dict[str, str]:
    return ((item or {}).get("metadata") or {}).get("annotations") or {}


def _holder(item: Any) -> str:
    return ((item or {}).get("spec") or {}).get("holderIdentity") or ""


def _since(item: Any) -> str:
    return str(item["spec"].get("acquireTime") or "a time that it does not tell").partition(".")[0]
