"""A target's ledger, in ConfigMaps of its services' namespace: sluice-ledger-0001, -0002 and so on, each a segment."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import httpx

from sluice.adapters.kubernetes.answers import refusal, refused
from sluice.adapters.kubernetes.asking import ask, asked
from sluice.errors import LedgerError
from sluice.promotion.ledger import Entry, State, append, broken, current, cut_or_rewritten, from_lines, to_lines
from sluice.promotion.ledger_file import keep_copy, read_copy

NAME = "sluice-ledger"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": "sluice"}
_KEY = "entries.jsonl"
_SEGMENT = re.compile(rf"{NAME}-(\d{{4,}})")
# A ConfigMap holds 1 MiB. The largest entry, 1000 characters of detail that JSON spells as \uXXXX, has 7 KiB; an
# ordinary one has 600 bytes. So a hundred always fit, and little is sent for one that is appended.
SEGMENT_ENTRIES = 100
_PAGE = "50"  # segments that are read at once
_TRIES = 5  # each that fails has seen another entry of somebody else's, which only one who holds the lock should write
_READ_SECONDS = 10.0  # whoever only looks is told soon that nobody answers
_BUSY_SECONDS = 60.0  # an API server that is away for a moment is no reason to fail a promotion


class TargetLedger:
    """The ledger of one target. `copy` is this host's copy of it; `client` is connection.connect()'s."""

    def __init__(self, client: httpx.AsyncClient, namespace: str, target: str, copy: Path) -> None:
        self._client = client
        self._namespace = namespace
        self._target = target
        self._copy = copy
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._look = f"kubectl --namespace {namespace} get configmaps -l app.kubernetes.io/name={NAME} -o yaml"

    async def read(self) -> tuple[Entry, ...]:
        """Return all entries, oldest first; none where nothing was ever promoted to the target. Writes the copy.

        Raises LedgerError where the chain is broken, entries that this host has seen are gone or others, or they are
        another target's; ClusterError where the API server refuses or does not answer.
        """
        entries, _ = await self._read(_READ_SECONDS)
        return entries

    async def append(
        self,
        *,
        promotion: str,
        release: str,
        release_id: str,
        state: State,
        who: str,
        why: Literal["deploy", "rollback"] = "deploy",
        detail: str = "",
        at: float,
    ) -> Entry:
        """Append an entry and return it as it stands in the ledger. `at` is in seconds since the epoch.

        Where the newest entry has that state of that promotion already, it is returned and nothing is written: a run
        that was killed wrote it, or the answer was lost. Nothing is ever overwritten: what somebody else appended in
        the meantime is read first. Raises LedgerError as `read` does, and where the entry cannot follow the newest.
        """
        wanted = Entry(0, at, self._target, promotion, release, release_id, state, who, why, detail)
        seen = ""
        for _ in range(_TRIES):
            entries, segments = await self._read(_BUSY_SECONDS)
            last = current(entries)
            if last is not None and (last.promotion, last.state, last.release) == (promotion, state, release):
                return last
            try:
                entries = append(entries, wanted)
            except ValueError as error:
                raise LedgerError(
                    f"the ledger of {self._target} takes no entry {state} of promotion {promotion}",
                    seen=str(error),
                    expected="one promotion at a time, from state to state",
                    next_command=f"./nox -s history -- --target {self._target}",
                ) from None
            seen = await self._write(segments, entries[-1])
            if not seen:
                keep_copy(self._copy, entries)
                return entries[-1]
        raise LedgerError(
            f"the ledger of {self._target} could not be appended to, {_TRIES} times",
            seen=seen,
            expected="nobody else who writes to it while this promotion has the lock",
            next_command=self._look,
        )

    async def _read(self, longest_seconds: float) -> tuple[tuple[Entry, ...], list[Any]]:
        # The copy first: another process of this host may be appending, and the target has all that a copy has.
        known = read_copy(self._copy)
        segments = await self._segments(longest_seconds)
        entries: list[Entry] = []
        for segment in segments:
            try:
                entries += from_lines((segment.get("data") or {}).get(_KEY, ""))
            except ValueError as error:
                raise self._broken(f"{segment['metadata']['name']}: {error}") from None
        if wrong := broken(entries):
            raise self._broken(wrong)
        if other := next((one for one in entries if one.target != self._target), None):
            raise LedgerError(
                f"the ledger in the namespace {self._namespace} is not the one of {self._target}",
                seen=f"entry {other.number} is of the target {other.target}",
                expected=f"entries of {self._target}",
                next_command="give each target a namespace of its own, or this one the name back that it had",
            )
        if changed := cut_or_rewritten(known, entries):
            raise LedgerError(
                f"the ledger of {self._target} was cut or written anew: it does not go on where the copy of it ends",
                seen=changed,
                expected=f"the {len(known)} entries of {self._copy}, and perhaps more",
                next_command=f"{self._look}, and find out who did it; "
                f"where the target itself was made anew: mv {self._copy} {self._copy}.before",
            )
        keep_copy(self._copy, entries)
        return tuple(entries), segments

    async def _segments(self, longest_seconds: float) -> list[Any]:
        """The ConfigMaps, in order."""
        what = f"the ledger of {self._target}"
        query = {"labelSelector": f"app.kubernetes.io/name={NAME}", "limit": _PAGE}
        found: list[Any] = []
        while True:
            path = f"{self._path}?{httpx.QueryParams(query)}"
            page = (await asked(self._client, "GET", path, what, longest_seconds=longest_seconds)).json()
            found += [one for one in page["items"] if _SEGMENT.fullmatch(one["metadata"]["name"])]
            if not (more := page["metadata"].get("continue")):
                return sorted(found, key=_number)
            query["continue"] = more

    async def _write(self, segments: Sequence[Any], entry: Entry) -> str:
        """Put an entry behind the others; returns why it was not, where somebody else was faster."""
        newest = segments[-1] if segments else None
        lines = (newest.get("data") or {}).get(_KEY, "").splitlines() if newest else []
        if newest is None or newest.get("immutable"):
            name, lines = f"{NAME}-{_number(newest) + 1 if newest else 1:04}", []
            method, path, metadata = "POST", self._path, {"name": name, "labels": LABELS}
        else:
            # With its resourceVersion and uid: whoever changed it or made it anew in the meantime is told by a 409.
            metadata = {key: value for key, value in newest["metadata"].items() if key != "managedFields"}
            method, path = "PUT", f"{self._path}/{metadata['name']}"
        lines.append(to_lines([entry]).rstrip("\n"))
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {_KEY: "".join(f"{line}\n" for line in lines)},
            # The API server lets nobody change the data of a full one; it can only be deleted, which is told.
            "immutable": len(lines) >= SEGMENT_ENTRIES,
        }
        what = f"to keep an entry of the ledger of {self._target}"
        response = await ask(self._client, method, path, what, body=body, longest_seconds=_BUSY_SECONDS)
        # 404: of a ConfigMap that was deleted, and of a namespace that is not there.
        if response.status_code == 409 or (response.status_code == 404 and method == "PUT"):
            return f"{response.status_code}: {refusal(response)}"
        if not response.is_success:
            raise refused(response, what)
        return ""

    def _broken(self, seen: str) -> LedgerError:
        return LedgerError(
            f"the ledger of {self._target} is broken",
            seen=seen,
            expected="entries as Sluice wrote them, each chained to the one before",
            next_command=f"{self._look}, and compare with {self._copy}",
        )


def _number(segment: Any) -> int:
    return int(segment["metadata"]["name"].rpartition("-")[2])
