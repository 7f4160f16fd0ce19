"""One clone and one local target for all; releases are made once, each test says which of them runs when it begins."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.promotion.workspace import BIN, KEYS, ROOT, TARGET, Workspace, git

from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.registry.cosign import Cosign
from sluice.domain import Evidence, load
from sluice.errors import SluiceError
from sluice.promotion.ledger import verified
from sluice.release_tools import release_signer
from sluice.settings import Settings
from sluice.steps.make_release import proven

# Where releases of the tests differ: in what answers the request that makes a task.
ROUTES = "services/backend/src/backend/routes.py"
ANSWER = "        return _view(task, response)\n"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One loop for the session."""
    return "asyncio"


@pytest.fixture(scope="session")
def base() -> Path:
    """The run that passed: the one named, else the newest that a release can be made of."""
    named = os.environ.get("SLUICE_PROMOTION_RUN")
    runs = [Path(named).resolve()] if named else sorted((ROOT / ".sluice" / "runs").glob("*/"), reverse=True)
    reasons = {run.name: why_not_proven(run) for run in runs}
    run = next((run for run in runs if not reasons[run.name]), None)
    if run is None:
        told = "\n".join(reasons.values()) or "there is no run"
        pytest.fail(f"the suite promotes what a run proved: ./nox -s e2e\n{told}", pytrace=False)
    if not (TARGET / "kubeconfig").exists():
        pytest.fail("there is no local target: ./nox -s promotion makes it", pytrace=False)
    return run


def why_not_proven(run: Path) -> str:
    """Why no release can be made of a run, or nothing where one can."""
    try:
        proven(run)
    except SluiceError as error:
        return str(error)
    return ""


@pytest.fixture(scope="session")
async def workspace(base: Path, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> Workspace:
    """The clone, at the revision of the run that passed, with the local target."""
    tree = tmp_path_factory.mktemp("promotion") / "tree"
    git(ROOT, "clone", "--quiet", str(ROOT), str(tree))
    evidence = load(Evidence, base / "evidence.json")
    git(tree, "checkout", "--quiet", "-B", "promoted", evidence.revision)
    (tree / "targets").mkdir(exist_ok=True)
    for file in (tree / "targets").glob("*.toml"):
        file.unlink()
    how = {one.how for one in evidence.components}
    made = Workspace(tree, base, {"SLUICE_SUPPLY_MODE": "source"} if how == {"source"} else {})
    made.target("local")
    # The tree's own key, made the first time; the clone signs with it too.
    cosign = Cosign(BIN / "cosign", tree / ".sluice" / "work", tree / ".sluice" / "cosign.log")
    await release_signer(ROOT, KEYS.parent, Settings(), cosign)
    return made


@pytest.fixture(scope="session")
async def first(workspace: Workspace) -> str:
    """The release of the run that passed, verified on the target; its id."""
    (await workspace.sluice("release", "--run", str(workspace.base))).ended(0)
    release = workspace.base.name
    (await workspace.sluice("deploy", "--cloud", "local", "--release", release)).ended(0)
    workspace.releases["first"] = release
    return release


@pytest.fixture(scope="session")
async def second(workspace: Workspace, first: str) -> str:
    """A release that differs in the backend; not deployed."""
    return await workspace.release("second", {ROUTES: ('"""', '"""Second. ')})


@pytest.fixture
async def on_first(workspace: Workspace, first: str) -> str:
    """The target runs the first release when the test begins."""
    return await _on(workspace, first)


@pytest.fixture
async def on_second(workspace: Workspace, second: str) -> str:
    """The target runs the second release when the test begins."""
    return await _on(workspace, second)


async def _on(workspace: Workspace, release: str) -> str:
    entries = await workspace.ledger()
    runs = verified(entries)
    if entries[-1].state not in ("verified", "rolled-back") or runs is None or runs.release_id != release:
        (await workspace.sluice("deploy", "--cloud", "local", "--release", release)).ended(0)
    return release


@pytest.fixture
async def target_cluster() -> AsyncIterator[httpx.AsyncClient]:
    """The target's API server."""
    async with connect(TARGET / "kubeconfig") as client:
        yield client
