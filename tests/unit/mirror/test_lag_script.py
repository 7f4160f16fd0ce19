"""lag.sh with stand-ins for Kafka's tools: which notes count, what is left out, that it fails where it cannot know."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sluice.regions.mirror import Lag, parse

SCRIPT = Path(__file__).parents[3] / "k8s-fixtures" / "mirror" / "lag.sh"
NOTES = "mm2-offsets.source.internal"
# Answers by class and arguments out of files beside it; a consumer's answer is the next one that there is.
TOOL = """#!/bin/sh
here=$(dirname "$0")
case "$1 $*" in
    *GetOffsetShell*target*) cat "$here/target"; exit "$(cat "$here/target.status")" ;;
    *GetOffsetShell*earliest*) cat "$here/oldest" ;;
    *GetOffsetShell*latest*) cat "$here/end" || { echo 'no broker' >&2; exit 1; } ;;
    *ConsoleConsumer*)
        echo "$*" >> "$here/asked"
        cat "$here/notes.$(wc -l < "$here/asked" | tr -d ' ')" ;;
    *) exit 64 ;;
esac
"""


def note(offset: int, partition: str, copied: int, connector: str = "MirrorSourceConnector") -> str:
    """A note as Connect writes it and the console consumer prints it."""
    topic, _, number = partition.partition(":")
    key = f'["{connector}",{{"cluster":"source","partition":{number},"topic":"{topic}"}}]'
    return f'Offset:{offset} {key} {{"offset":{copied}}}\n'


@dataclass
class Rig:
    """What the tools answer."""

    home: Path
    oldest: tuple[str, ...] = ("tasks:0:0", "tasks:1:0")
    end: tuple[str, ...] | None = ("tasks:0:9", "tasks:1:5")
    notes: list[str] = field(default_factory=list)
    target: str = ""
    status: int = 0

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        tool = self.home / "run-class"
        tool.write_text(TOOL)
        tool.chmod(0o755)
        for name, lines in (("oldest", self.oldest), ("end", self.end)):
            if lines is not None:
                (self.home / name).write_text("".join(f"{line}\n" for line in lines))
        for number, text in enumerate(self.notes, 1):
            (self.home / f"notes.{number}").write_text(text)
        (self.home / "target").write_text(self.target)
        (self.home / "target.status").write_text(str(self.status))
        given = {"KAFKA_RUN_CLASS": str(tool), "SOURCE_BROKER": "source:1", "TARGET_BROKER": "target:1"}
        return subprocess.run(
            ["sh", SCRIPT], env=os.environ | given, capture_output=True, text=True, timeout=30, check=False
        )

    def lag(self) -> Lag:
        """What comes of it."""
        done = self.run()
        assert done.returncode == 0, done.stderr
        [line] = done.stdout.splitlines()
        return parse(json.loads(line))

    @property
    def asked(self) -> list[str]:
        """How the notes were read, one time a line."""
        return (self.home / "asked").read_text().splitlines()


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path, target=f"{NOTES}:0:3\n")


def test_of_each_partition_the_last_note_counts(rig: Rig) -> None:
    rig.notes = [note(0, "tasks:0", 4) + note(1, "tasks:1", 4) + note(2, "tasks:0", 6)]
    assert rig.lag().behind == {"tasks:0": 2}
    assert len(rig.asked) == 1


def test_notes_of_others_and_what_is_no_event_do_not_count(rig: Rig) -> None:
    rig.notes = [note(0, "tasks:0", 8) + note(1, "tasks:1", 4) + note(2, "tasks:1", 1, "MirrorCheckpointConnector")]
    more = ("__consumer_offsets:0:", f"{NOTES}:0:", "source.checkpoints.internal:0:")
    rig.oldest = (*rig.oldest, *(f"{partition}0" for partition in more))
    rig.end = (*(rig.end or ()), *(f"{partition}7" for partition in more))
    assert rig.lag() == Lag()


def test_a_mirror_that_never_ran_has_copied_nothing(rig: Rig) -> None:
    rig.target, rig.status = "Error occurred: Could not match any topic-partitions with the specified filters\n", 1
    rig.notes = [""]
    assert rig.lag().events == 14


def test_notes_that_did_not_all_come_are_read_again_and_for_longer(rig: Rig) -> None:
    whole = note(0, "tasks:0", 4) + note(1, "tasks:1", 4) + note(2, "tasks:0", 8)
    rig.notes = ["", note(0, "tasks:0", 4), whole]
    assert rig.lag() == Lag()
    waits = [int(line.split("--timeout-ms ")[1].split()[0]) for line in rig.asked]
    assert waits == sorted(set(waits))
    assert len(waits) == 3


def test_notes_that_never_all_come_are_an_error(rig: Rig) -> None:
    rig.notes = [note(1, "tasks:0", 4)] * 3
    done = rig.run()
    assert (done.returncode, done.stdout) == (75, "")
    assert "of 3 notes" in done.stderr
    assert "1 was the last that came" in done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [({"end": None}, "no broker"), ({"status": 1, "target": "Timed out waiting for a node"}, "Timed out")],
)
def test_a_broker_that_does_not_answer_is_an_error(rig: Rig, change: dict[str, object], said: str) -> None:
    for name, value in change.items():
        setattr(rig, name, value)
    rig.notes = [note(2, "tasks:0", 8)] * 3
    done = rig.run()
    assert done.returncode not in (0, 75)
    assert done.stdout == ""
    assert said in done.stderr


def test_reading_makes_no_topic(rig: Rig) -> None:
    """One of the broker's making would not be compacted, and the mirror would refuse it."""
    rig.notes = [note(2, "tasks:0", 8)]
    rig.lag()
    assert "allow.auto.create.topics=false" in rig.asked[0]
