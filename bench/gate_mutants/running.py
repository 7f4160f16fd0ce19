"""Runs the line in a copy of the tree, on the bench's own cluster, or the checks that need none."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import anyio
import httpx
from bench.gate_mutants import leavings
from bench.gate_mutants.judged import Judged

from sluice.bootstrap import kubeconfig
from sluice.errors import SluiceError
from sluice.settings import Settings, load_settings

CHECKS = ("tests/rules", "tests/charts")
# Longer than all deadlines of a run together, where everything is at hand.
_RUN_SECONDS = 2700.0
_CHECK_SECONDS = 1200.0
_TOOLS_SECONDS = 3600.0
# A stopped run still writes its evidence.
_GRACE_SECONDS = 180.0


@dataclass(frozen=True)
class Line:
    """The line on one cluster. `tools` is the folder of the checks' programs: they are put there when needed."""

    cluster: str
    port: int
    suites: tuple[str, ...]
    tools: Path

    def environment(self, tree: Path) -> dict[str, str]:
        """What a run in `tree` gets: this process' environment, and the bench's cluster."""
        return {
            **os.environ,
            "PYTHONPATH": str(tree / "ci" / "src"),
            "SLUICE_CLUSTER_NAME": self.cluster,
            "SLUICE_CLUSTER_REGISTRY_PORT": str(self.port),
            "SLUICE_RUN_RUNTIME": "docker",
        }

    def run(self, tree: Path, log: Path, *, suites: Sequence[str] = ()) -> Path | None:
        """Deploy and judge a tree, and return the run's folder; None where it left none.

        Nothing of the release before it is left then: where that cannot be removed, the cluster is made anew.
        """
        kept = self._emptied(tree)
        words = [sys.executable, "-m", "sluice", "e2e", "--reuse" if kept else "--keep"]
        words += [word for suite in suites or self.suites for word in ("--suite", suite)]
        execute(words, cwd=tree, env=self.environment(tree), log=log, seconds=_RUN_SECONDS)
        runs = sorted((tree / ".sluice" / "runs").glob("*/"))
        return runs[-1] if runs else None

    def check(self, tree: Path, log: Path, junit: Path) -> Judged:
        """Run the checks that need no cluster, up to the first that fails."""
        if not (self.tools / "bin").is_dir():
            words = [sys.executable, "-m", "sluice", "supply", "--tools", str(self.tools)]
            status = execute(words, cwd=tree, env=self.environment(tree), log=log, seconds=_TOOLS_SECONDS)
            if status != 0:
                return Judged("not judged", f"no programs for the checks (exit status {status}); see {log.name}")
        words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}", *CHECKS]
        environment = self.environment(tree) | programs(self.tools)
        status = execute(words, cwd=tree, env=environment, log=log, seconds=_CHECK_SECONDS)
        if status not in (0, 1):
            return Judged("not judged", f"the checks ended with exit status {status}; see {log.name}")
        failed = failures(junit)
        if status == 0 or not failed:
            return Judged("missed", "every check passed")
        return Judged("caught", f"{failed[0]} failed", first=failed[0])

    def _emptied(self, tree: Path) -> bool:
        """Remove what the last release left; whether there is a cluster that is fit for the next."""
        settings = self.settings(tree)
        credentials = kubeconfig(settings)
        if not credentials.is_file():
            return False
        try:
            anyio.run(leavings.empty, credentials, settings.namespaces.services, settings.namespaces.monitoring)
        except (SluiceError, httpx.HTTPError, OSError) as error:
            print(f"  the cluster is made anew: {str(error).splitlines()[0] or type(error).__name__}", flush=True)
            return False
        return True

    def settings(self, tree: Path) -> Settings:
        """What a run in `tree` works with."""
        return load_settings(tree, self.environment(tree))


def execute(words: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, seconds: float) -> int:
    """Run a program with its output in `log`, and return its exit status; at the deadline it is stopped.

    Ctrl-C stops it too, and is raised once it has ended: it is in a session of its own, so that it hears of it once.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(
            words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return _stop(process)
        except KeyboardInterrupt:
            _stop(process)
            raise
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


def _stop(process: subprocess.Popen[bytes]) -> int:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(timeout=_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def programs(tools: Path) -> dict[str, str]:
    """Where charts' and rules' tests look for their programs, as the noxfile's session `tests` tells them."""
    return {
        "SLUICE_BIN": str(tools / "bin"),
        "SLUICE_KUBERNETES_OPENAPI": str(tools / "openapi" / "swagger.json"),
        "SLUICE_CRDS": str(tools / "crds"),
        "PATH": os.pathsep.join([str(tools / "bin"), os.environ.get("PATH", "")]),
    }


def failures(junit: Path) -> list[str]:
    """The tests of a JUnit file that failed, as pytest names them: `tests/x/test_y.py::test_z`."""
    if not junit.is_file():
        return []
    cases: Iterable[ET.Element] = ET.parse(junit).iter("testcase")
    return [
        f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
