"""A region's server follows the other's, by a slot, into a volume that holds nothing else."""

import shutil
import subprocess

from tests.contract.backup.rigs import own_to
from tests.contract.regions.conftest import REPLICATION_PASSWORD, Side

from sluice.certificates import certificates

Pair = tuple[Side, Side]


def refused(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert done.returncode == status, done.stdout + done.stderr
    assert [word for word in words if word not in done.stderr] == [], done.stderr


def test_what_the_primary_commits_the_standby_has_and_takes_nothing_itself(pair: Pair) -> None:
    east, west = pair
    east.write("after")
    west.until("SELECT count(*) FROM marked", "2")
    done = west.psql("--command=INSERT INTO marked VALUES ('of the standby')")
    assert "read-only" in done.stderr
    assert east.ask("SELECT slot_name || active FROM pg_replication_slots") == "westtrue"
    assert east.ask("SELECT application_name FROM pg_stat_replication") == "west"


def test_a_standby_starts_again_without_asking_and_goes_on(pair: Pair) -> None:
    """Both regions of one host come back at once: the primary asks the standby, so that has to be up first."""
    east, west = pair
    east.stop()
    west.stop()
    assert west.up("standby") == "west: follows"
    assert east.up("primary") == "east: goes on as the primary"
    east.write("after")
    west.until("SELECT count(*) FROM marked", "2")


def test_a_volume_that_holds_something_is_not_filled(pair: Pair) -> None:
    _, west = pair
    west.stop()
    shutil.rmtree(west.data)
    west.data.mkdir()
    (west.data / "somebody's").write_text("data")
    own_to(west.data, west.account)
    refused(west.decide("standby"), 73, "is not empty", "nothing is overwritten")
    assert [path.name for path in west.data.iterdir()] == ["somebody's"]


def test_another_database_is_not_overwritten(pair: Pair) -> None:
    _, west = pair
    west.stop()
    shutil.rmtree(west.data)
    west.tell(first="yes", alone="yes")
    west.up("primary")
    west.write("of another database")
    west.stop()
    mine = west.identifier()
    refused(west.decide("standby"), 73, "has another database", mine)
    assert west.identifier() == mine
    assert not (west.data / "standby.signal").exists()


def test_a_copy_that_was_killed_is_begun_anew(pair: Pair) -> None:
    east, west = pair
    west.stop()
    shutil.move(west.data, west.data.with_name("data.new"))
    (west.data.with_name("data.new") / "PG_VERSION").unlink()
    assert west.up("standby") == "west: follows a new copy"
    east.write("after")
    west.until("SELECT count(*) FROM marked", "2")
    assert not west.data.with_name("data.new").exists()


def test_where_wal_was_given_up_for_who_was_away_too_long_a_copy_is_made(pair: Pair) -> None:
    east, west = pair
    east.stop()
    smaller = {"max_slot_wal_keep_size=256MB": "max_slot_wal_keep_size=16MB", "wal_keep_size=128MB": "wal_keep_size=0"}
    east.arguments = tuple(smaller.get(word, word) for word in east.arguments)
    east.up("primary")
    west.stop()
    for number in range(6):
        east.write(f"meanwhile-{number}")
        east.ask("SELECT pg_switch_wal()")
    east.ask("CHECKPOINT")
    east.until("SELECT wal_status FROM pg_replication_slots", "lost")
    shutil.rmtree(west.data)  # what docs/failover.md says
    assert west.up("standby") == "west: follows a new copy"
    west.until("SELECT count(*) FROM marked", "7")
    east.until("SELECT wal_status FROM pg_replication_slots WHERE active", "reserved")


def test_who_does_not_know_the_password_gets_nothing(pair: Pair) -> None:
    _, west = pair
    west.stop()
    shutil.rmtree(west.data)
    (west.home / "replication").write_text("guessed-password")
    done = west.decide("standby", PEER_SECONDS="2")
    refused(done, 75, "password authentication failed")
    assert "guessed-password" not in done.stdout + done.stderr
    assert not west.data.exists()


def test_it_is_followed_by_tls_only_and_only_whom_the_authority_knows(pair: Pair) -> None:
    east, west = pair
    encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)"
    assert east.ask(encrypted) == "t"
    plain = east.psql(
        "--dbname=replication=true dbname=postgres", "--command=IDENTIFY_SYSTEM",
        user="replication", password=REPLICATION_PASSWORD, more={"PGSSLMODE": "disable"},
    )  # fmt: skip
    assert "no pg_hba.conf entry for replication connection" in plain.stderr
    assert "no encryption" in plain.stderr
    west.stop()
    shutil.rmtree(west.data)
    west.show(certificates(("localhost",)))  # another authority than east's certificate is of
    refused(west.decide("standby", PEER_SECONDS="2"), 75, "SSL error")
    assert not west.data.exists()


def test_a_primary_that_lost_its_volume_does_not_begin_with_an_empty_one(pair: Pair) -> None:
    east, _ = pair
    east.lose()
    shutil.rmtree(east.data)
    refused(east.decide("primary"), 73, "is empty", "fail over to the other region")
    east.tell(alone="yes")
    refused(east.decide("primary"), 73, "is empty")
    assert not east.data.exists()


def test_a_role_or_name_that_is_none_is_refused(sides: Pair) -> None:
    east, _ = sides
    refused(east.decide("leader"), 78, "the role of east is 'leader'")
    east.tell(name="../east")
    refused(east.decide("primary"), 78, "the region's name is '../east'")
