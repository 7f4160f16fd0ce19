"""What this machine has: capabilities, distribution, disk, ports."""

import os
import shutil
import socket
from pathlib import Path

_LAST_BIT = 40  # CAP_CHECKPOINT_RESTORE, capabilities(7); capped-runc knows the same


def missing_capabilities(
    status: Path = Path("/proc/self/status"), last_cap: Path = Path("/proc/sys/kernel/cap_last_cap")
) -> tuple[int, ...]:
    """Return the bits of CAP_* that the bounding set lacks, lowest first; empty on a full host.

    Source of the format: proc_pid_status(5), line CapBnd; the bits are those of capabilities(7) up to
    CAP_CHECKPOINT_RESTORE, cut at what the running kernel knows. A system that tells none has none.
    """
    try:
        lines = status.read_text().splitlines()
        last = int(last_cap.read_text())
    except FileNotFoundError:
        return ()
    bounding = next((int(line.split()[1], 16) for line in lines if line.startswith("CapBnd:")), None)
    if bounding is None:
        return ()
    return tuple(bit for bit in range(min(last, _LAST_BIT) + 1) if not bounding & (1 << bit))


def is_root() -> bool:
    """Return whether we run as root."""
    return os.geteuid() == 0


def is_debian() -> bool:
    """Return whether apt-get with Debian's or Ubuntu's packages is at hand (os-release(5), ID and ID_LIKE)."""
    try:
        text = Path("/etc/os-release").read_text()
    except OSError:
        return False
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    names = f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".replace('"', "").split()
    return bool({"debian", "ubuntu"} & set(names)) and shutil.which("apt-get") is not None


def free_bytes(path: Path) -> int:
    """Return the bytes that are free on the file system a path is on, or will be on once it is made."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def memory_bytes() -> int:
    """Return how much memory this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def port_is_free(port: int, address: str = "127.0.0.1") -> bool:
    """Return whether a TCP port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
