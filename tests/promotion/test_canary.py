"""A service's new image on a share of its pods: one that is good goes on, one that is not is stopped and taken away."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.e2e.kube import Kube
from tests.e2e.load import Load
from tests.e2e.sockets import Sockets
from tests.e2e.support import Backend
from tests.e2e.users import Signer, new_user
from tests.promotion.conftest import ANSWER, ROUTES
from tests.promotion.workspace import TARGET, Workspace, states

from sluice.adapters.kubernetes.connection import websocket_access
from sluice.adapters.kubernetes.service_proxy import ServiceProxy

pytestmark = pytest.mark.anyio
CANARY = "[canary]\nsteps = [50]\nseconds = 20"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


@pytest.fixture
def in_steps(workspace: Workspace) -> Iterator[None]:
    """The target has canaries for as long as the test runs."""
    workspace.target("local", strategy="canary", tables=CANARY)
    yield
    workspace.target("local")


@pytest.fixture
async def load(target_cluster: httpx.AsyncClient) -> Load:
    """Users of the backend: as many as two cores carry beside a deploy, since a task goes through all services."""
    kube = Kube(target_cluster, Sockets(await websocket_access(TARGET / "kubeconfig")), "default")
    signer = Signer.from_jwk(await kube.secret("user-tokens", "signing-key.jwk"))
    backend = Backend(ServiceProxy(target_cluster, "default", "backend", 8000), signer, new_user(), lambda _: None)
    return Load(backend, every=0.4, workers=2, most=20_000)


async def image_of(client: httpx.AsyncClient, deployment: str) -> str:
    """The image that a Deployment's own container has; empty where there is no such Deployment."""
    answer = await client.get(f"{DEPLOYMENTS}/{deployment}")
    if answer.status_code == 404:
        return ""
    (image,) = [
        one["image"]
        for one in answer.raise_for_status().json()["spec"]["template"]["spec"]["containers"]
        if one["name"] == "backend"
    ]
    return str(image)


def table_of(workspace: Workspace) -> str:
    """What the newest promotion's evidence has of canaries."""
    runs = sorted((workspace.tree / ".sluice" / "promotions" / "runs").iterdir(), key=lambda one: one.stat().st_mtime)
    file: Path = runs[-1] / "tables" / "canary-backend.json"
    return file.read_text()


async def test_a_canary_that_does_no_worse_goes_on(
    workspace: Workspace, on_first: str, second: str, in_steps: None, load: Load, target_cluster: httpx.AsyncClient
) -> None:
    async with load.running():
        said = (await workspace.sluice("deploy", "--cloud", "local", "--release", second)).ended(0).text
    assert states(await workspace.ledger(), second) == ["planned", "copied", "deployed", "verified"], said
    assert "went on" in table_of(workspace)
    assert await image_of(target_cluster, "backend-canary") == ""


async def test_a_canary_that_goes_bad_is_stopped_and_what_ran_before_runs_on(
    workspace: Workspace, on_first: str, in_steps: None, load: Load, target_cluster: httpx.AsyncClient
) -> None:
    before = await image_of(target_cluster, "backend")
    fault = "        if uuid.uuid4().int % 3 == 0:\n            raise RuntimeError  # the fault\n"
    bad = await workspace.release("bad-canary", {ROUTES: (ANSWER, fault + ANSWER)})
    async with load.running():
        said = (await workspace.sluice("deploy", "--cloud", "local", "--release", bad)).ended(1).text
    entries = await workspace.ledger()
    assert states(entries, bad) == ["planned", "copied", "rolled-back"], said
    assert "the canary of backend was stopped at 50 %" in entries[-1].detail
    assert "stopped" in table_of(workspace)
    assert await image_of(target_cluster, "backend") == before
    assert await image_of(target_cluster, "backend-canary") == ""
    errors = [one for one in load.asked if one.status >= 500]
    assert errors, "the fault was met by users, of whom the canary had a share"
    assert len(errors) < len(load.asked) / 4
