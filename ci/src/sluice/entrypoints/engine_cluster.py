"""What the Dagger function `cluster` runs in the toolbox: kind's cluster on one port, and its credentials.

python -m sluice.entrypoints.engine_cluster serve PORT
python -m sluice.entrypoints.engine_cluster kubeconfig FILE URL
"""

import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import yaml
from rich.console import Console

from sluice.adapters.dagger_engine.forward import pass_on
from sluice.adapters.process import run as run_program
from sluice.adapters.progress import shown_progress
from sluice.bootstrap import Options, Toolbox
from sluice.errors import SluiceError
from sluice.files import write_atomically
from sluice.pipeline import leaves
from sluice.run import Run
from sluice.settings import load_settings
from sluice.supply import artifact

_ASK_SECONDS = 60


async def serve(root: Path, port: int) -> None:
    """Raise the cluster, then pass connections to a port on to its API server, for ever.

    The port is open only then, which is how the engine knows that the service is up.
    """
    async with _toolbox(root) as (box, run):
        await run.step("supply cluster", box.cluster_parts, deadline_seconds=box.settings.deadlines.supply)
        limit = box.settings.deadlines.cluster
        cluster = await run.step("create cluster", box.create_cluster, deadline_seconds=limit)
    config = yaml.safe_load(Path(cluster.kubeconfig).read_text())
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    assert server.hostname
    assert server.port
    async with await anyio.create_tcp_listener(local_port=port) as listener:
        await pass_on(listener, server.hostname, server.port, say=_say)


async def kubeconfig(root: Path, file: Path, url: str) -> None:
    """Write the cluster's credentials, for who reaches its API server by `url`; readable by their owner alone."""
    async with _toolbox(root) as (box, run):
        kind = artifact.program(await box.supply.get("kind"))
        found = await run_program(
            [kind, "get", "kubeconfig", "--name", box.settings.cluster.name],
            deadline_seconds=_ASK_SECONDS, what="asking kind for the cluster's credentials",
            next_command="./dagger call cluster service up",
        )  # fmt: skip
        names = box.settings.cluster.api_names
        write_atomically(file, kubeconfig_for(found.stdout, url, names[-1]).encode(), private=True)
        run.progress.update("create cluster", f"credentials for {url}")


def kubeconfig_for(text: str, url: str, name: str) -> str:
    """Return kind's kubeconfig with the API server at `url`, whose certificate is checked for `name`.

    So it may be called by any name (kubeconfig v1, Cluster: tls-server-name).
    """
    config = yaml.safe_load(text)
    for one in config["clusters"]:
        one["cluster"] |= {"server": url, "tls-server-name": name}
    return yaml.safe_dump(config, sort_keys=False)


@asynccontextmanager
async def _toolbox(root: Path) -> AsyncIterator[tuple[Toolbox, Run]]:
    settings = load_settings(root)
    with shown_progress(Console(stderr=True, width=150)) as progress, tempfile.TemporaryDirectory() as scratch:
        run = Run(Path(scratch), progress)
        yield Toolbox(root, settings, run, Options(may_install=False)), run


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Do what the command line says; exit status 2 where that could not be done."""
    _, what, first, *rest = sys.argv
    try:
        if what == "serve":
            anyio.run(serve, Path.cwd(), int(first))
        else:
            anyio.run(kubeconfig, Path.cwd(), Path(first), rest[0])
    except* SluiceError as group:
        for error in leaves(group):
            _say(f"✗ {error}")
        sys.exit(2)


if __name__ == "__main__":
    main()
