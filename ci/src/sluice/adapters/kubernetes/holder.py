"""Whether the process that holds a lock is gone, where it can be known for certain: it ran on this kernel.

A host's name and a number are not enough: containers may share a name, and each counts its processes on its own.
"""

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_process() -> str:
    """Return a text that no other process of this kernel has; empty on systems that do not tell (there is no /proc).

    It is the boot's id, the PID namespace, the number in it, and when the process started, in ticks after the boot:
    proc_pid_stat(5), pid_namespaces(7).
    """
    try:
        number = os.getpid()
        return f"{_here()} {number} {_started(number)}"
    except (OSError, ValueError, IndexError):
        return ""


def gone(process: str) -> bool:
    """Whether the process that `this_process` told is no more. False where that cannot be known from here."""
    here, _, rest = process.rpartition(" ")
    here, _, number = here.rpartition(" ")
    try:
        if not process or here != _here():
            return False
        os.kill(int(number), 0)
        return _started(int(number)) != rest  # another one has its number now
    except ProcessLookupError:
        return True
    except (OSError, ValueError, IndexError):
        return False


def _here() -> str:
    return f"{_BOOT.read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"


def _started(number: int) -> str:
    """When a process started; "" of one that has ended and that nobody waited for yet."""
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()  # its name may hold anything
    return "" if fields[0] in "ZX" else fields[19]
