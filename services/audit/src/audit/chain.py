"""The chain: an entry's hash is over all that it says and over the hash of the one before.

SHA-256 (FIPS 180-4) over the entry's canonical JSON (RFC 8785), so that the same entry has the same hash in every
process and on every database. Whoever changes one entry has to change all later ones, and the head.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Any

import rfc8785
from pydantic import AfterValidator

from audit.models import Entry

GENESIS = "0" * 64
_ANCHOR = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


def parse_anchor(given: str) -> tuple[int, str]:
    """Return the sequence and the hash that an anchor names. Raises ValueError where it is none."""
    match = _ANCHOR.fullmatch(given)
    if match is None:
        raise ValueError("must be <sequence>:<hash>, such as an anchor in the log has it")
    return int(match[1]), match[2]


def _is_anchor(given: str) -> str:
    parse_anchor(given)
    return given


Anchor = Annotated[str, AfterValidator(_is_anchor)]


def hash_of(entry: Entry) -> str:
    """Return the hash that an entry has to have: 64 hexadecimal digits.

    Raises rfc8785.CanonicalizationError where a value has no canonical form, such as an integer of more than 53 bits.
    """
    said: dict[str, Any] = {
        "sequence": entry.sequence,
        "event_id": entry.event_id,
        "type": entry.type,
        "source": entry.source,
        "subject": entry.subject,
        "owner": entry.owner,
        "actor": entry.actor,
        "occurred_at": _written(entry.occurred_at),
        "recorded_at": _written(entry.recorded_at),
        "trace_id": entry.trace_id,
        "before": entry.before,
        "after": entry.after,
        "data": entry.data,
        "previous_hash": entry.previous_hash,
    }
    return hashlib.sha256(rfc8785.dumps(said)).hexdigest()


def _written(moment: datetime) -> str:
    """An instant as databases keep it: UTC, to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
