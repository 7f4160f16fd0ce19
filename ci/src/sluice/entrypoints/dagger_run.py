"""`nox -s e2e -- --runtime dagger`: the line of dagger_module.py, called from this host without loading a module."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import dagger

from sluice.adapters.dagger_engine import line
from sluice.adapters.dagger_engine.failures import as_command_failed
from sluice.adapters.dagger_engine.session import session
from sluice.adapters.dagger_engine.toolbox import LEFT_OUT
from sluice.domain import Evidence, Verdict, load
from sluice.errors import CommandFailed
from sluice.policy import load_policy
from sluice.standing import FOLDER, POLICY_COPY, record


async def e2e(
    root: Path, home: Path, *, suites: Sequence[str], supply: str, offline: Path | None, say: Callable[[str], None]
) -> Path:
    """Run the whole line in a Dagger engine; returns the folder of the run, below `home` as any other.

    `offline` is what offline.py laid out, for an engine that reaches no container registry.
    Raises HostError where no engine answers, CommandFailed where the run left no evidence.
    """
    arriving = home / "runs" / "arriving"
    shutil.rmtree(arriving, ignore_errors=True)
    arriving.parent.mkdir(parents=True, exist_ok=True)
    async with session() as client:
        source = client.host().directory(str(root), exclude=LEFT_OUT)
        given = client.host().directory(str(offline)) if offline else None
        kept = client.host().directory(str(home / FOLDER)) if (home / FOLDER).is_dir() else None
        say("the line runs in the Dagger engine; what it prints is in the evidence")
        try:
            run = line.evidence(client, source, suites=suites, supply=supply, offline=given, baselines=kept)
            await run.export(str(arriving))
        except dagger.QueryError as error:
            raise as_command_failed(
                "the Dagger engine could not run the line", error, expected="a folder with evidence",
                next_command="./dagger --progress plain call e2e",
            ) from None  # fmt: skip
    folder = settle(arriving, home)
    if (folder / "verdict.json").is_file():
        keep = load_policy(folder / POLICY_COPY).baselines.keep
        record(home, load(Evidence, folder / "evidence.json"), load(Verdict, folder / "verdict.json"), keep=keep)
    return folder


def settle(arriving: Path, home: Path) -> Path:
    """Give an exported run its place and its name; raises CommandFailed where there is no evidence in it."""
    status = (arriving / line.EXIT_STATUS).read_text().strip()
    if not (arriving / "evidence.json").is_file():
        raise CommandFailed(
            "the run in the Dagger engine could not be tried", status=int(status),
            seen=f"exit status {status}, no evidence", expected="evidence.json",
            next_command="./dagger --progress plain call e2e  shows what it printed",
        )  # fmt: skip
    run_id = str(json.loads((arriving / "evidence.json").read_bytes())["run_id"])
    folder = home / "runs" / run_id
    arriving.rename(folder)
    latest, temporary = home / "latest", home / f"latest.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.relative_to(home))
    os.replace(temporary, latest)
    return folder
