"""A command in the toolbox that meets a registry of the Docker engine beside it under the name that images have.

python -m sluice.entrypoints.engine_forward PORT HOST COMMAND…

References say localhost everywhere (adapters/docker/registry.py), and the engine is another host here.
"""

import subprocess
import sys
from collections.abc import Sequence
from functools import partial

import anyio
from anyio.abc import SocketStream
from anyio.streams.stapled import MultiListener

from sluice.adapters.dagger_engine.forward import pass_on


async def work(port: int, host: str, command: Sequence[str]) -> int:
    """Run the command while localhost's port is the host's; returns the command's exit status."""
    listener: MultiListener[SocketStream] = await anyio.create_tcp_listener(local_host="localhost", local_port=port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(partial(pass_on, listener, host, port, say=_say))
        done = await anyio.run_process(command, check=False, stdin=subprocess.DEVNULL, stdout=None, stderr=None)
        group.cancel_scope.cancel()
    return done.returncode


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Run what the command line says, to its exit status."""
    _, port, host, *command = sys.argv
    sys.exit(anyio.run(work, int(port), host, command))


if __name__ == "__main__":
    main()
