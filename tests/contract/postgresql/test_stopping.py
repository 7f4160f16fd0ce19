"""The signal that the image names ends the server in order, whoever is connected."""

import re
import signal
import subprocess
import time

from tests.contract.postgresql.conftest import ENTRYPOINT, SUPERUSERS_PASSWORD, Server

_SECONDS = 20  # the fixture's terminationGracePeriodSeconds is 30


def stop_signal() -> signal.Signals:
    """What the kubelet sends: the image's STOPSIGNAL, else SIGTERM."""
    found = re.search(
        r"^STOPSIGNAL (\w+)$", (ENTRYPOINT.parent / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    return signal.Signals[found[1]] if found else signal.SIGTERM


def test_a_client_that_stays_connected_does_not_keep_the_server_from_stopping(server: Server) -> None:
    """A service's pool never hangs up by itself: a server that waits for it is killed, and recovers when it starts."""
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "postgres", "PGPASSWORD": SUPERUSERS_PASSWORD}
    client = subprocess.Popen(
        [server.programs / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"],
        env=server.environment(**where), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert client.stdin
    assert client.stdout
    assert server.process
    try:
        client.stdin.write(b"SELECT 'connected';\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"connected\n"
        began = time.monotonic()
        server.process.send_signal(stop_signal())
        assert server.process.wait(timeout=_SECONDS) == 0, server.log()
        assert time.monotonic() - began < _SECONDS
    finally:
        client.kill()
        client.communicate()
    told = subprocess.run(
        [server.programs / "pg_controldata", server.home / "data"], capture_output=True, text=True, check=True,
        env=server.environment(LC_ALL="C"), user=server.account,
    ).stdout  # fmt: skip
    assert re.search(r"^Database cluster state: +shut down$", told, re.MULTILINE), told
    server.start()
    assert "not properly shut down" not in server.log()
