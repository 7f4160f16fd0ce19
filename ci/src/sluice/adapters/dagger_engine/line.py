"""What is run in the toolbox for each of the module's functions; nox -s e2e -- --runtime dagger runs the same."""

from collections.abc import Sequence

import dagger

from sluice.adapters.dagger_engine.cluster_host import WAIT, bound, docker_engine
from sluice.adapters.dagger_engine.toolbox import ROOT, asked_now, toolbox

EXIT_STATUS = "exit-status"
_EVIDENCE = "/evidence"
_IMAGES = "/images"

# The folder is whole whatever the verdict is: a function that raised would return nothing to read.
_E2E = f"""{WAIT}
status=0
python -m sluice e2e --no-install "$@" || status=$?
mkdir -p {_EVIDENCE}
[ ! -e .sluice/latest ] || cp -RL .sluice/latest/. {_EVIDENCE}/
echo $status > {_EVIDENCE}/{EXIT_STATUS}
"""


def images(
    client: dagger.Client, source: dagger.Directory, *, supply: str = "auto", offline: dagger.Directory | None = None
) -> dagger.Directory:
    """Return the services' images: one OCI layout each, and images.json with their digests."""
    box = toolbox(client, source, offline).with_env_variable("SLUICE_SUPPLY_MODE", supply)
    command = f"exec python -m sluice.entrypoints.engine_build {_IMAGES}"
    if offline:  # without a registry, what images start from may have to be built, which takes a Docker engine
        box = bound(box, docker_engine(client, source, offline))
        command = WAIT + command
    return box.with_exec(
        ["sh", "-euc", command],
        experimental_privileged_nesting=True,
        insecure_root_capabilities=True,
    ).directory(_IMAGES)


def checked(
    client: dagger.Client, source: dagger.Directory, session: str = "tests", *, supply: str = "auto",
    offline: dagger.Directory | None = None,
) -> dagger.Container:  # fmt: skip
    """Return a toolbox in which a session of the noxfile has passed; `tests` is all that needs no cluster."""
    box = toolbox(client, source, offline).with_env_variable("SLUICE_SUPPLY_MODE", supply)
    return box.with_exec(["python", "-m", "nox", "-s", session])


def evidence(
    client: dagger.Client, source: dagger.Directory, *, suites: Sequence[str] = (), supply: str = "auto",
    offline: dagger.Directory | None = None, baselines: dagger.Directory | None = None,
) -> dagger.Directory:  # fmt: skip
    """Return the evidence of a new run, whatever its verdict; `exit-status` in it is what the command ended with.

    `baselines` are the records of passed ones, to compare with.
    """
    box = bound(toolbox(client, source, offline), docker_engine(client, source, offline))
    box = box.with_directory(f"{ROOT}/.sluice/baselines", baselines) if baselines else box
    words = [word for suite in suites for word in ("--suite", suite)]
    return asked_now(box).with_exec(  # a run is a measurement
        ["sh", "-uc", _E2E, "e2e", "--supply", supply, *words],
        experimental_privileged_nesting=True, insecure_root_capabilities=True,
    ).directory(_EVIDENCE)  # fmt: skip


def judged(
    client: dagger.Client, source: dagger.Directory, evidence: dagger.Directory, *,
    offline: dagger.Directory | None = None,
) -> dagger.Container:  # fmt: skip
    """Return a toolbox in which the gate has passed the evidence; it fails where the verdict is fail."""
    box = toolbox(client, source, offline).with_directory(f"{ROOT}{_EVIDENCE}", evidence)
    return box.with_exec(["python", "-m", "sluice", "gate", "--evidence", f"{ROOT}{_EVIDENCE}"])
