"""A switch, planned or not: what was acknowledged, who may write afterwards, and the way back."""

import signal
import time

from tests.contract.backup.rigs import own_to
from tests.contract.regions.conftest import Side
from tests.contract.regions.test_following import Pair, refused

from sluice.adapters.kubernetes.region import STATE, database_of


def test_both_sides_tell_how_far_they_are(pair: Pair) -> None:
    """By the very question that a switch asks of them."""
    east, west = pair
    east.write("after")
    west.until("SELECT count(*) FROM marked", "2")
    standby, primary = database_of(west.ask(STATE)), database_of(east.ask(STATE))
    assert (primary.standby, primary.timeline, primary.streaming) == (False, 1, False)
    assert (standby.standby, standby.timeline, standby.streaming) == (True, 1, True)
    assert primary.at >= standby.at > 16 * 1024 * 1024
    assert standby.received >= standby.at
    assert abs(standby.last_commit - time.time()) < 60
    east.stop()
    west.until("SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'", "0")
    behind = database_of(west.ask(STATE))
    assert not behind.streaming
    assert behind.at >= primary.at, "all of it, also what was written while it ended"
    west.promote()
    promoted = database_of(west.ask(STATE))
    assert (promoted.standby, promoted.timeline) == (False, 2)


def split(pair: Pair) -> tuple[Side, Side]:
    """East was lost with a row that west has not, and west was promoted and went on."""
    east, west = pair
    west.stop()
    east.write("lost")
    east.lose()
    west.tell(alone="yes")
    assert west.up("primary") == "west: follows until it is promoted"
    west.promote()
    west.write("of-west")
    return east, west


def test_a_planned_switch_loses_nothing_and_the_old_side_follows_without_a_copy(pair: Pair) -> None:
    east, west = pair
    east.write("last")
    at = east.ask("SELECT pg_current_wal_lsn()")
    east.stop()  # in order: it ends when whoever follows has everything
    west.until(f"SELECT pg_last_wal_replay_lsn() >= '{at}'", "t")
    west.promote()
    west.write("of-west")
    assert west.marks() == ["before", "last", "of-west"]
    own_inode = east.data.stat().st_ino
    assert east.up("standby") == "east: follows after a rewind"
    assert east.data.stat().st_ino == own_inode
    east.until("SELECT count(*) FROM marked", "3")
    assert west.ask("SELECT slot_name || active FROM pg_replication_slots") == "easttrue"
    assert east.ask("SELECT count(*) FROM pg_replication_slots") == "0", "a slot of before keeps WAL for nobody"


def test_and_back_again(pair: Pair) -> None:
    east, west = pair
    east.stop()
    west.promote()
    east.up("standby")
    east.until("SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'", "1")
    west.write("of-west")
    west.stop()
    east.promote()
    east.write("of-east")
    assert west.up("standby") == "west: follows after a rewind"
    west.until("SELECT count(*) FROM marked", "3")
    assert east.ask("SELECT timeline_id FROM pg_control_checkpoint()") == "3"


def test_an_old_primary_that_comes_back_does_not_write(pair: Pair) -> None:
    east, _ = split(pair)
    before = {path.name: path.stat().st_mtime_ns for path in east.data.iterdir()}
    refused(east.decide("primary"), 78, "went on at timeline 2, east is at 1", "may not write")
    refused(east.decide("fenced"), 78, "east was fenced at epoch 1")
    assert {path.name: path.stat().st_mtime_ns for path in east.data.iterdir()} == before


def test_nor_does_it_where_west_was_promoted_a_moment_ago(pair: Pair) -> None:
    """West's control file still has the timeline before; only what it answers tells."""
    east, west = pair
    east.lose()
    assert west.ask("SELECT pg_promote(wait := true, wait_seconds := 30)") == "t"
    refused(east.decide("primary"), 78, "went on at timeline 2")


def test_nor_where_nobody_answers_unless_a_person_says_so(pair: Pair) -> None:
    east, west = pair
    east.lose()
    west.lose()
    refused(east.decide("primary", PEER_SECONDS="2"), 75, "does not tell whether it was promoted", "alone: yes")
    east.tell(alone="yes")
    assert east.up("primary") == "east: goes on as the primary, alone"
    assert east.marks() == ["before"]


def test_the_new_primary_starts_again_while_the_old_one_is_not_back(pair: Pair) -> None:
    _, west = split(pair)
    west.stop(signal.SIGQUIT)
    assert west.up("primary") == "west: goes on as the primary, alone"
    assert west.marks() == ["before", "of-west"]


def test_one_that_was_promoted_and_killed_before_its_checkpoint_knows_its_timeline(pair: Pair) -> None:
    east, west = pair
    # So much that has to be written down that the checkpoint after the promotion takes its time.
    east.ask("INSERT INTO marked SELECT 'much-' || number FROM generate_series(1, 200000) AS number")
    east.stop()
    assert west.ask("SELECT pg_promote(wait := true, wait_seconds := 30)") == "t"
    west.lose()
    assert west.control("Latest checkpoint's TimeLineID") == "1"
    east.tell(alone="yes")
    east.up("primary")  # whoever told it that it is alone was wrong
    assert west.up("primary") == "west: goes on as the primary"


def test_the_old_side_is_rewound_to_what_the_new_one_has(pair: Pair) -> None:
    east, _ = split(pair)
    assert east.up("standby") == "east: follows after a rewind"
    east.until("SELECT count(*) FROM marked", "2")
    assert east.marks() == ["before", "of-west"], "what only it had is gone from it: nobody else ever saw it"
    assert (east.data / "standby.signal").exists()


def test_where_a_rewind_was_killed_the_old_files_are_kept_aside(pair: Pair) -> None:
    east, _ = split(pair)
    mark = east.data.with_name("data.rewinding")
    mark.touch()
    own_to(east.home, east.account)
    assert "lies in" in east.up("standby")
    east.until("SELECT count(*) FROM marked", "2")
    assert (east.data.with_name("data.before-1") / "PG_VERSION").exists()
    assert not mark.exists()
    east.stop()
    (east.data / "standby.signal").unlink()
    mark.touch()
    refused(east.decide("standby"), 73, "cannot be rewound", "data.before-1 is there already")


def test_where_nothing_can_be_rewound_a_copy_is_made(pair: Pair) -> None:
    """WAL from before the two parted is gone: pg_rewind finds no common checkpoint."""
    east, _ = split(pair)
    for segment in (east.data / "pg_wal").glob("0000000100000000*"):
        segment.unlink()
    assert "could not be rewound" in east.up("standby")
    east.until("SELECT count(*) FROM marked", "2")
