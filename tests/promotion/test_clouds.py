"""The values of each cloud, deployed once: as they are, but for storage, database and broker, which are kind's here."""

import base64
from pathlib import Path

import httpx
import pytest
from tests.promotion.workspace import Workspace, states

pytestmark = pytest.mark.anyio
VALUES = Path(__file__).parent / "values"
# As helm/monitoring/README.md tells their keys; nobody is at these addresses.
SECRETS = {
    "alertmanager-pagerduty": {"routing-key": "0" * 32},
    "alertmanager-slack": {"url": "http://127.0.0.1:9/slack"},
    "alertmanager-dead-man": {"url": "http://127.0.0.1:9/watchdog"},
}


@pytest.fixture
async def secrets(target_cluster: httpx.AsyncClient) -> None:
    """What an operator makes before the first deploy to a cloud."""
    for name, values in SECRETS.items():
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
        answer = await target_cluster.post("/api/v1/namespaces/monitoring/secrets", json=body)
        assert answer.status_code in (201, 409), answer.text


@pytest.mark.parametrize("cloud", ["oke", "aks", "gke"])
async def test_a_clouds_values_are_deployed_and_verified(
    workspace: Workspace, first: str, secrets: None, target_cluster: httpx.AsyncClient, cloud: str
) -> None:
    values = {chart: [str(VALUES / f"{chart}.yaml")] for chart in ("monitoring", "logging", "services")}
    workspace.target("local", cloud=cloud, values=values)
    try:
        said = (await workspace.sluice("deploy", "--target", "local", "--release", first)).ended(0).text
    finally:
        workspace.target("local")
    assert states(await workspace.ledger(), first)[-1] == "verified", said
    pods = (await target_cluster.get("/api/v1/namespaces/default/pods")).raise_for_status().json()["items"]
    backends = [one for one in pods if one["metadata"]["labels"].get("app.kubernetes.io/name") == "backend"]
    assert len(backends) >= 2, "a cloud has two of each"
    prometheus = "/apis/monitoring.coreos.com/v1/namespaces/monitoring/prometheuses/k8s"
    spec = (await target_cluster.get(prometheus)).raise_for_status().json()["spec"]
    assert spec["externalLabels"]["cluster"] == cloud
