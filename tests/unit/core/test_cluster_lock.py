"""One command at a time at a cluster: the second is told whose it is; what a killed one left holds nobody up."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench.gate_mutants import __main__ as gate_mutants
from bench.gate_mutants.faults import Change
from tests.unit.core.support import ENVIRONMENT
from typer.testing import CliRunner

from sluice import cluster_lock
from sluice.cluster_lock import clusters_held
from sluice.entrypoints import cli
from sluice.errors import ClusterError
from sluice.files import locked
from sluice.settings import Settings

HOLD = """
import sys
from sluice.cluster_lock import clusters_held
from sluice.settings import Settings
settings = Settings.model_validate({"run": {"cache": sys.argv[1]}})
with clusters_held(settings, *sys.argv[2:], command="target up"):
    print("held", flush=True)
    sys.stdin.read()
"""


def words(settings: Settings, *names: str) -> list[str]:
    return [sys.executable, "-c", HOLD, settings.run.cache, *names]


@contextmanager
def elsewhere(settings: Settings, *names: str) -> Iterator[int]:
    """Another process that holds clusters while the block runs: its pid."""
    piped = subprocess.PIPE
    with subprocess.Popen(words(settings, *names), stdin=piped, stdout=piped, env=ENVIRONMENT) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        try:
            yield holder.pid
        finally:
            holder.kill()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_RUN_CACHE", str(tmp_path / "cache"))
    return Settings.model_validate({"run": {"cache": str(tmp_path / "cache")}})


def lock(settings: Settings, name: str = "sluice") -> Path:
    return settings.cache / "clusters" / f"{name}.lock"


def test_the_second_is_told_who_holds_it_since_when_and_what_to_do(settings: Settings) -> None:
    with elsewhere(settings) as pid, pytest.raises(ClusterError) as refused, clusters_held(settings, command="e2e"):
        pass
    assert refused.value.failed == "the cluster sluice is held by another command"
    assert refused.value.seen.startswith(f"target up (pid {pid}) works on it since 20")
    assert refused.value.seen.endswith("Z")
    assert f"kill -INT {pid}" in refused.value.next_command


def test_another_cluster_is_nobodys_business(settings: Settings) -> None:
    with elsewhere(settings, "other"), clusters_held(settings, command="e2e"):
        pass


def test_what_a_killed_holder_left_is_taken_over(settings: Settings) -> None:
    with elsewhere(settings):
        pass  # and killed
    assert lock(settings).exists()
    with clusters_held(settings, command="e2e"):
        assert json.loads(lock(settings).read_text())["pid"] == os.getpid()


def test_it_is_let_go_of_and_nothing_is_left(settings: Settings) -> None:
    opened = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        with clusters_held(settings, "sluice", "sluice-target", command="clean"):
            assert lock(settings, "sluice-target").exists()
    assert len(os.listdir("/proc/self/fd")) == opened
    assert list((settings.cache / "clusters").iterdir()) == []


def test_of_several_none_is_kept_where_one_is_held(settings: Settings) -> None:
    with elsewhere(settings, "b"):
        with pytest.raises(ClusterError, match="the cluster b is"), clusters_held(settings, "a", "b", command="clean"):
            pass
        with clusters_held(settings, "a", command="e2e"):
            pass


@pytest.mark.parametrize("between", [[], ["sh", "-c", '"$@"; exit $?', "sh"]])
def test_what_the_holder_starts_works_for_it(settings: Settings, between: list[str]) -> None:
    with clusters_held(settings, command="gate_mutants"):
        argv = [*between, *words(settings)]
        child = subprocess.run(
            argv, env=ENVIRONMENT, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=60
        )
        assert (child.returncode, child.stdout) == (0, b"held\n")
        assert locked(lock(settings)) is None, "and its end is not the holder's"


def test_a_lock_that_was_removed_while_one_waited_for_it_is_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []

    def late(path: Path) -> int | None:
        descriptor = locked(path)
        if not tried:
            path.unlink()  # as its holder does at its end
        tried.append(path)
        return descriptor

    monkeypatch.setattr(cluster_lock, "locked", late)
    with clusters_held(settings, command="e2e"):
        assert locked(lock(settings)) is None
    assert len(tried) == 2


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"pid": "x", "since": 1}', '{"pid": 0}'])
def test_a_holder_that_has_not_told_yet_is_another_process(settings: Settings, torn: str) -> None:
    lock(settings).parent.mkdir(parents=True)
    lock(settings).write_text(torn)
    descriptor = locked(lock(settings))
    assert descriptor is not None
    with pytest.raises(ClusterError, match="another process"), clusters_held(settings, command="e2e"):
        pass
    os.close(descriptor)


@pytest.mark.parametrize(
    ("command", "cluster"),
    [
        ("e2e --runtime docker", "sluice"),
        ("drill", "sluice"),
        ("target up", "sluice-target"),
        ("target down", "sluice-target"),
        ("clean", "sluice"),
        ("clean", "sluice-target"),
    ],
)
def test_every_command_that_makes_or_removes_one_is_refused_before_it_begins(
    settings: Settings, tmp_path: Path, command: str, cluster: str
) -> None:
    with elsewhere(settings, cluster) as pid:
        result = CliRunner().invoke(cli.app, command.split())
    assert result.exit_code == 2
    told = " ".join(result.output.split())
    assert f"the cluster {cluster} is held by another command seen: target up (pid {pid})" in told
    assert not (tmp_path / ".sluice").exists(), "no run is begun that nobody will finish"


def test_so_are_the_mutants_whose_cluster_has_another_name(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gate_mutants", "--only", "unchanged-1", "--out", str(tmp_path / "out")])
    monkeypatch.setattr(gate_mutants, "run", lambda *_: pytest.fail("begun"))
    monkeypatch.setattr(gate_mutants, "healthy", lambda _: [Change("unchanged-1", "nothing")])
    with elsewhere(settings, "sluice-bench"):
        assert gate_mutants.main() == 2
    assert "the cluster sluice-bench is held by another command" in capsys.readouterr().err
