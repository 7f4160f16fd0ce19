"""A role and a database per service: its own and no other, safe to run again, with names and passwords of any kind."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.contract.postgresql.conftest import SUPERUSERS_PASSWORD, Server

NASTY = "p'; DROP TABLE x; -- \\ \" $HOME `id`"


def connects(server: Server, user: str, password: str, database: str) -> bool:
    done = server.psql("--command=SELECT 1", user=user, password=password, database=database)
    assert done.returncode == 0 or "FATAL" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize(("identifier", "password"), [("recurring_task", "plain"), ("a\"b'c;--", NASTY)])
def test_a_service_gets_its_own_database_and_nothing_more(server: Server, identifier: str, password: str) -> None:
    done = server.provision(identifier, password)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert server.provision("other", "secret").returncode == 0
    assert connects(server, identifier, password, identifier)
    table = server.psql("--command=CREATE TABLE t ()", user=identifier, password=password, database=identifier)
    assert table.returncode == 0, table.stderr
    for database in ("other", "postgres", "template1"):
        assert not connects(server, identifier, password, database), database
    assert not connects(server, "other", "secret", identifier)
    assert not connects(server, identifier, "guess", identifier)
    rights = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication FROM pg_roles WHERE rolname = :'name'"
    asked = server.psql("--tuples-only", f"--set=name={identifier}", "--file=-", stdin=rights)
    assert asked.stdout.strip() == "f"


def test_a_second_time_changes_the_password_and_keeps_the_data(server: Server) -> None:
    assert server.provision("again", "first").returncode == 0
    server.psql("--command=CREATE TABLE kept ()", user="again", password="first", database="again")
    assert server.provision("again", "second").returncode == 0
    assert not connects(server, "again", "first", "again")
    kept = server.psql("--command=SELECT FROM kept", user="again", password="second", database="again")
    assert kept.returncode == 0, kept.stderr


def test_all_services_at_once_do_not_get_in_each_others_way(server: Server) -> None:
    names = [f"side_by_side_{number}" for number in range(5)]
    with ThreadPoolExecutor(len(names)) as pool:
        done = list(pool.map(lambda name: server.provision(name, name), names))
    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * len(names)


def test_one_service_is_provided_for_after_the_other(server: Server) -> None:
    """Two that took rights from the same database at once would fail with `tuple concurrently updated`."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    made = "SELECT count(*) FROM pg_roles WHERE rolname = 'patient'"
    with ThreadPoolExecutor(1) as pool:
        with server.session("SELECT pg_advisory_lock(hashtext('provision'))"):
            provided = pool.submit(server.provision, "patient", "secret")
            while server.psql("--tuples-only", f"--command={waiting}").stdout.strip() != "1":
                assert not provided.done(), "it did not wait for the other"
            assert server.psql("--tuples-only", f"--command={made}").stdout.strip() == "0"
        done = provided.result()
    assert (done.returncode, done.stderr) == (0, "")
    assert connects(server, "patient", "secret", "patient")


def test_a_statement_that_fails_leaves_no_password_in_the_log(server: Server) -> None:
    done = server.provision("pg_monitor", "not to be told")
    assert done.returncode != 0
    assert "reserved" in done.stderr
    assert "not to be told" not in done.stderr + done.stdout + server.log()


def test_after_a_kill_the_server_starts_with_what_it_had(server: Server) -> None:
    assert server.provision("survivor", "here").returncode == 0
    server.stop(signal.SIGQUIT)
    server.start()
    assert connects(server, "survivor", "here", "survivor")
    assert connects(server, "postgres", SUPERUSERS_PASSWORD, "postgres")
