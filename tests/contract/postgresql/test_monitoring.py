"""The exporter's role: sees what the server is doing and how large it is, and nothing that anybody wrote."""

from tests.contract.postgresql.conftest import ROOT, Server

MONITORING = ROOT / "k8s-fixtures/postgresql/monitoring.sql"
# What postgres_exporter asks for, as far as rules need it.
SEEN = (
    "SELECT count(*) FROM pg_stat_activity WHERE query <> ''",
    "SELECT sum(pg_database_size(datname)) FROM pg_database",
    "SELECT checkpoints_req FROM pg_stat_bgwriter",
    "SELECT sum(deadlocks) FROM pg_stat_database",
    "SELECT setting FROM pg_settings WHERE name = 'max_connections'",
)


def role(server: Server, password: str) -> None:
    file = server.home / "monitoring-password"
    file.write_text(f"{password}\n")
    done = server.psql(f"--file={MONITORING}", more={"MONITORING_PASSWORD_FILE": str(file)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_role_sees_statistics_after_services_took_everybodys_rights(server: Server) -> None:
    role(server, "first")
    assert server.provision("watched", "secret").returncode == 0
    role(server, "second")  # a second time changes the password and nothing else
    for query in SEEN:
        done = server.psql("--tuples-only", f"--command={query}", user="monitoring", password="second")
        assert done.returncode == 0, done.stderr
        assert float(done.stdout.strip()) >= 0, query
    refused = server.psql("--command=SELECT 1", user="monitoring", password="first")
    assert "authentication failed" in refused.stderr


def test_the_role_reads_and_changes_nothing_of_a_service(server: Server) -> None:
    role(server, "here")
    assert server.provision("private", "secret").returncode == 0
    refused = server.psql("--command=SELECT 1", user="monitoring", password="here", database="private")
    assert "permission denied for database" in refused.stderr
    for statement in ("CREATE TABLE t ()", "CREATE ROLE another", "SELECT pg_read_file('/etc/passwd')"):
        done = server.psql(f"--command={statement}", user="monitoring", password="here")
        assert done.returncode != 0, statement
