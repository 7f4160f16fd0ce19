"""The Docker engine of this host: found, or installed and started where that is allowed."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

from sluice.adapters import host
from sluice.adapters.process import Completed, run
from sluice.errors import HostError, NotReady

_START_SECONDS = 60
_INSTALL_SECONDS = 600


class Engine:
    """A Docker engine that answers; every call goes through the `docker` command."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir

    async def docker(
        self,
        *args: str | Path,
        deadline_seconds: float = 120,
        check: bool = True,
        log: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        what: str = "",
        stdin: bytes | None = None,
    ) -> Completed:
        """Run one docker command; errors as in `process.run`."""
        # The classic builder is in every engine; BuildKit needs a plug-in that Debian's package leaves out.
        return await run(
            ["docker", *args],
            deadline_seconds=deadline_seconds,
            check=check,
            log=log,
            on_line=on_line,
            stdin=stdin,
            what=what or f"docker {args[0]}",
            env={"DOCKER_BUILDKIT": "0", "DOCKER_CLI_HINTS": "false"},
        )

    async def image_id(self, reference: str) -> str | None:
        """Return the id of an image that the engine holds, or None."""
        done = await self.docker("image", "inspect", "--format", "{{.Id}}", reference, check=False)
        return done.stdout.strip() if done.status == 0 else None

    async def load(self, archive: Path, reference: str) -> None:
        """Bring an archive of one image into the engine under the name `reference`, and no other name."""
        done = await self.docker(
            "load", "--quiet", "--input", archive, deadline_seconds=600, what=f"loading {reference}"
        )
        loaded = done.stdout.strip().rpartition(" ")[2]
        await self.docker("tag", loaded, reference)
        if not loaded.startswith("sha256:") and loaded != reference:  # crane names what it pulls
            await self.docker("image", "rm", loaded, check=False)

    async def container(self, name: str) -> dict[str, Any] | None:
        """Return `docker inspect` of a container, or None where there is none of that name."""
        done = await self.docker("container", "inspect", name, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout or "[]") if done.status == 0 else []
        return found[0] if found else None


async def answers() -> bool:
    """Return whether an engine answers on this host now."""
    try:
        asked = await run(["docker", "info", "--format", "{{.ServerVersion}}"], deadline_seconds=20, check=False)
        return asked.status == 0
    except (HostError, NotReady):
        return False


async def check_engine(*, may_install: bool) -> None:
    """Raise HostError, with the commands to run, where no engine answers and we may not start one; changes nothing."""
    if await answers():
        return
    cure = "apt-get install docker.io && service docker start"
    if not host.is_root():
        raise HostError(
            "no Docker engine answers, and this user may not start one",
            seen=f"uid {os.geteuid()}",
            expected="a running engine (docker info), or root on Debian or Ubuntu to start one",
            next_command=f"sudo sh -c '{cure}'  then  sudo usermod -aG docker $USER",
        )
    if not may_install:
        raise HostError(
            "no Docker engine answers, and --no-install forbids starting one",
            seen="docker info failed",
            expected="a running engine",
            next_command=cure,
        )
    if not _daemon_program() and not host.is_debian():
        raise HostError(
            "no Docker engine on this host",
            seen="no dockerd on PATH",
            expected="Docker 20.10 or newer",
            next_command="install Docker for this distribution, start it, then run this again",
        )


async def ensure_engine(
    state_dir: Path, *, may_install: bool, capped_runc: Callable[[], Path], say: Callable[[str], None]
) -> Engine:
    """Return an engine that answers; on Debian or Ubuntu as root a missing one is installed and started.

    `state_dir` keeps the daemon's log and pid; `capped_runc` gives the program that stands in front of runc,
    asked for only where this host's bounding set is short. Raises HostError as `check_engine` does.
    """
    engine = Engine(state_dir)
    if await answers():
        return engine
    await check_engine(may_install=may_install)
    if not _daemon_program():
        say("no Docker engine here: installing Debian's docker.io (refuse with --no-install)")
        await install_packages("docker.io", log=state_dir / "apt.log")
    await _start(state_dir, capped_runc, say)
    return engine


async def install_packages(*packages: str, log: Path) -> None:
    """Install Debian packages as root; raises CommandFailed with apt's last lines."""
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    wait_for_lock = ["-o", "DPkg::Lock::Timeout=300"]
    await run(["apt-get", *wait_for_lock, "update", "-q"], deadline_seconds=_INSTALL_SECONDS, env=env, log=log)
    await run(
        ["apt-get", *wait_for_lock, "install", "-qy", "--no-install-recommends", *packages],
        deadline_seconds=_INSTALL_SECONDS,
        env=env,
        log=log,
        what=f"apt-get install {' '.join(packages)}",
    )


def _daemon_program() -> str | None:
    return shutil.which("dockerd")


async def _start(state_dir: Path, capped_runc: Callable[[], Path], say: Callable[[str], None]) -> None:
    state_dir.mkdir(parents=True, exist_ok=True)
    log = state_dir / "dockerd.log"
    argv = [_daemon_program() or "dockerd"]
    if host.missing_capabilities():
        say("this host's bounding set is short of capabilities: runc goes through capped-runc")
        # A copy of the engine's own: it outlives what the cache forgets.
        own = shutil.copy2(capped_runc(), state_dir / "capped-runc")
        argv += ["--add-runtime", f"capped={own}", "--default-runtime", "capped"]
    say(f"starting the Docker engine, its log is {log}")
    with log.open("ab") as output:
        # A session of its own with its output in a file: whoever waits for our output must not wait for it.
        daemon = subprocess.Popen(  # noqa: ASYNC220 - starting blocks nobody, and it must outlive our event loop
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    (state_dir / "dockerd.pid").write_text(f"{daemon.pid}\n")
    deadline = time.monotonic() + _START_SECONDS
    while not await answers():
        if daemon.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace").strip().splitlines()[-4:]
            raise HostError(
                "the Docker engine did not start",
                seen=" | ".join(tail) or "no output",
                expected=f"an answer to docker info within {_START_SECONDS} s",
                next_command=f"read {log}",
            )
        await anyio.sleep(0.3)


async def stop_own_engine(state_dir: Path, say: Callable[[str], None]) -> bool:
    """Stop the engine that `ensure_engine` started; one that somebody else started is left. Returns whether."""
    pid_file = state_dir / "dockerd.pid"
    try:
        pid = int(pid_file.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        pid_file.unlink(missing_ok=True)
        return False
    if name != "dockerd":  # the number was given to another program after a reboot
        pid_file.unlink(missing_ok=True)
        return False
    say(f"stopping the Docker engine that Sluice started (pid {pid})")
    os.kill(pid, 15)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > deadline:
            raise NotReady(
                "the Docker engine does not stop",
                seen=f"pid {pid} still runs after 30 s",
                expected="its end",
                next_command=f"kill {pid}",
            )
        await anyio.sleep(0.2)
    pid_file.unlink(missing_ok=True)
    return True
