"""One command at a time makes, empties or removes a cluster of a name; another one is refused at once, and told why.

Each name has a lock, <cache>/clusters/<name>.lock, beside the mark by which a cluster is known to be ours. It is held
as a run's folder is (decision 0012): none is ever stale, since the kernel lets go of that of a process that died.
What stands in it (pid, since, command) is there for whoever meets it, and decides nothing.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sluice.errors import ClusterError
from sluice.files import locked
from sluice.moments import rfc3339
from sluice.settings import Settings

_UNKNOWN = "another process"


@contextmanager
def clusters_held(settings: Settings, *names: str, command: str) -> Iterator[None]:
    """Keep other commands from the clusters of these names, or that of the settings, while the block runs.

    What the holder has started, itself or by others (a suite that runs the line), works for it, and is let through.
    Raises ClusterError that names the holder.
    """
    folder = settings.cache / "clusters"
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as all_of_them:
        for name in names or (settings.cluster.name,):
            all_of_them.enter_context(_held(folder / f"{name}.lock", name, command))
        yield


@contextmanager
def _held(path: Path, name: str, command: str) -> Iterator[None]:
    descriptor = _taken(path)
    if descriptor is None:
        holder = _holder(path)
        if holder.get("pid") not in tuple(_ancestors()):
            raise _refused(name, holder)
        yield
        return
    try:
        told = {"pid": os.getpid(), "since": time.time(), "command": command}
        os.truncate(descriptor, 0)
        os.write(descriptor, json.dumps(told).encode())
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is ours: who waits at the door of this very file looks again
        os.close(descriptor)


def _taken(path: Path) -> int | None:
    """The lock's descriptor. A file that its holder removed meanwhile is nobody's lock any more."""
    while (descriptor := locked(path)) is not None:
        try:
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)
    return None


def _ancestors() -> Iterator[int]:
    """Who started us, who started that one, and so on (proc_pid_stat(5): the fourth field, behind the name)."""
    pid = os.getppid()
    while pid > 0:
        yield pid
        try:
            pid = int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):  # it has ended meanwhile, or is not ours to see
            return


def _holder(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):  # it has ended, or has not written yet
        return {}
    return found if isinstance(found, dict) else {}


def _refused(name: str, holder: dict[str, object]) -> ClusterError:
    pid, since, command = (holder.get(key) for key in ("pid", "since", "command"))
    seen, stop = _UNKNOWN, "stop it"
    if isinstance(pid, int) and isinstance(since, int | float):
        seen, stop = f"{command} (pid {pid}) works on it since {rfc3339(since)}", f"stop it: kill -INT {pid}"
    return ClusterError(
        f"the cluster {name} is held by another command",
        seen=seen,
        expected="one at a time that makes or removes it",
        next_command=f"wait for its end, or {stop}; or take another cluster: docs/how-to/keep-a-cluster.md",
    )
