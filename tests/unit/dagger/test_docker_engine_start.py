"""The script that a session's Docker engine starts with, run with stand-ins: what an ended session left is removed."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.unit.dagger.session import FakeSession, chain, session

from sluice.adapters.dagger_engine import cluster_host

__all__ = ["session"]

# The daemon that is reached by a socket for leftovers runs until it is ended; the one that stays says what it was told.
DOCKERD = """
case "$*" in
    *leftovers.sock*) echo "began" >> $LOG; touch $LOG.up; trap 'echo "ended" >> $LOG; exit 0' TERM
        while :; do read -r _ < $LOG.pipe || :; done ;;
    *) echo "stays $*" >> $LOG ;;
esac
"""
DOCKER = """
case "$*" in
    *version) [ -e $LOG.up ] ;;
    *"ps --all --quiet") echo one; echo two ;;
    *) echo "docker ${*#--host * }" >> $LOG ;;
esac
"""


class Host:
    def __init__(self, folder: Path, script: str) -> None:
        self.docker, self.log, self._bin = folder / "docker", folder / "log", folder / "bin"
        for name in ("docker", "run", "cgroup", "bin"):
            (folder / name).mkdir()
        os.mkfifo(f"{self.log}.pipe")
        for name, text in {"dockerd": DOCKERD, "docker": DOCKER, "mount": "", "sleep": ""}.items():
            program = self._bin / name
            program.write_text(f"#!/bin/sh\n{text}\n")
            program.chmod(0o755)
        for there, here in {"/var/lib/docker": "docker", "/run/left": "run/left", "/sys/fs/cgroup": "cgroup"}.items():
            assert there in script
            script = script.replace(there, f"{folder}/{here}")
        self._script = script

    def start(self) -> list[str]:
        """Run the script; returns what the stand-ins noted."""
        environment = {"PATH": f"{self._bin}:/usr/bin:/bin", "LOG": str(self.log)}
        done = subprocess.run(
            ["sh", "-euc", self._script], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return self.log.read_text().splitlines()


@pytest.fixture
def host(session: FakeSession, tmp_path: Path) -> Host:
    client = session.client
    service = cluster_host.docker_engine(client, client.directory())
    return Host(tmp_path, chain(service)[-1].args["args"][-1])


def test_a_fresh_volume_needs_no_daemon_before_the_one_that_stays(host: Host) -> None:
    (stays,) = host.start()
    assert stays.startswith("stays --host unix:///var/run/docker.sock --host tcp://0.0.0.0:2375 --tls=false")


def test_what_an_ended_session_left_is_removed_before_anybody_reaches_the_daemon(host: Host) -> None:
    (host.docker / "containers" / "one").mkdir(parents=True)
    began, removed, ended, stays = host.start()
    assert (began, ended) == ("began", "ended")
    assert removed == "docker rm --force --volumes one two"
    assert stays.startswith("stays --host")
