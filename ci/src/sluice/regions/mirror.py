"""How far the mirror of events is, by what k8s-fixtures/mirror/lag.sh asked of both brokers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.errors import FailoverError


@dataclass(frozen=True)
class Lag:
    """Events that the mirror has not copied, by `topic:partition`; partitions without any are left out.

    `behind` are still in the source and would be copied; `gone` are those that the source let go (its retention) before
    they were copied, and nobody has.
    """

    behind: Mapping[str, int] = field(default_factory=dict)
    gone: Mapping[str, int] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """How many events the region that stands by lacks."""
        return sum(self.behind.values()) + sum(self.gone.values())

    def __str__(self) -> str:
        """The lag in a line, the partitions with most of it first."""
        told = [_told(self.behind, "not copied yet"), _told(self.gone, "gone before they were copied")]
        return "; ".join(line for line in told if line) or "everything is copied"


def parse(told: Mapping[str, Any]) -> Lag:
    """Return the lag by what lag.sh told: `oldest` and `end` offsets of the source, the last offsets `copied`.

    Each is a list of `topic:partition:offset`. An end offset is that of the next event, a copied one that of the last,
    so that of a partition `end - (copied + 1)` events are not copied; one of which nothing was ever copied lacks all
    that the source has of it. Offsets are the source's on both sides: those of the target differ where events came
    twice or had expired. Raises FailoverError for anything else: a lag that is not known is not 0.
    """
    oldest, end, copied = (_offsets(told, name) for name in ("oldest", "end", "copied"))
    if not end or oldest.keys() != end.keys():
        raise _unknown(
            "the same partitions, at least one, with their oldest and their end offset",
            f"oldest of {len(oldest)}, end of {len(end)}",
        )
    behind, gone = {}, {}
    for partition, next_one in end.items():
        first = oldest[partition]
        wanted = copied[partition] + 1 if partition in copied else first
        if wanted > next_one:
            # Another log than the one that was copied: the source was emptied, or is not the one it was.
            raise _unknown(
                f"of {partition} at most {next_one} events copied, as many as the source ever had", f"{wanted} copied"
            )
        behind[partition] = next_one - max(wanted, first)
        gone[partition] = max(0, first - wanted)
    return Lag(_some(behind), _some(gone))


def _offsets(told: Mapping[str, Any], name: str) -> dict[str, int]:
    lines = told.get(name)
    if not isinstance(lines, list):
        raise _unknown(f"a list {name!r}", f"{sorted(told)}")
    found = {}
    for line in lines:
        partition, _, offset = str(line).rpartition(":")
        if (
            not partition.rpartition(":")[2].isdigit() or not offset.isdigit()
        ):  # GetOffsetShell has none of a leaderless one
            raise _unknown("topic:partition:offset", repr(line))
        found[partition] = int(offset)
    return found


def _unknown(expected: str, seen: str) -> FailoverError:
    return FailoverError(
        "the brokers did not tell how far the mirror is",
        seen=seen,
        expected=expected,
        next_command="kubectl logs --selector app.kubernetes.io/name=mirror-lag, in the region that stands by",
    )


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {partition: count for partition, count in sorted(counts.items()) if count}


def _told(counts: Mapping[str, int], what: str) -> str:
    if not counts:
        return ""
    most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    shown = ", ".join(f"{count} of {partition}" for partition, count in most[:5])
    return f"{sum(counts.values())} {what} ({shown}{', …' if len(most) > 5 else ''})"
