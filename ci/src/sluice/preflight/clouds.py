"""What only one of the clouds has: how pods get to be somebody there."""

from functools import partial

from sluice.doctor import Finding
from sluice.preflight.asking import Api, Check
from sluice.promotion.model import Target
from sluice.promotion.needs import Needs

_WEBHOOK = "azure-wi-webhook-mutating-webhook-configuration"
_CLIENT_ID = "azure.workload.identity/client-id"
_METADATA = "iam.gke.io/gke-metadata-server-enabled"


def checks(api: Api, target: Target, needs: Needs) -> list[tuple[str, Check]]:
    """Every check with its title. What the S3 API of OKE needs is a Secret, which is looked at with the others."""
    if needs.store == "azure" and needs.client_id:
        return [
            ("workload identity", partial(_webhook, api)),
            ("ServiceAccount loki", partial(_client_id, api, target, needs.client_id)),
        ]
    if needs.store == "gcs":
        return [("workload identity", partial(_metadata_server, api))]
    return []


async def _webhook(api: Api) -> list[Finding]:
    what = "workload identity"
    path = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{_WEBHOOK}"
    if await api.get(path) is not None:
        return [Finding(what, "has", "its webhook")]
    cure = "az aks update -g <group> -n <cluster> --enable-oidc-issuer --enable-workload-identity"
    return [Finding(what, "lacks", f"no {_WEBHOOK}: Loki would get no token for its container", cure)]


async def _client_id(api: Api, target: Target, wanted: str) -> list[Finding]:
    space = target.cluster.logging
    what = "ServiceAccount loki"
    found = await api.get(f"/api/v1/namespaces/{space}/serviceaccounts/loki")
    has = ((found or {}).get("metadata", {}).get("annotations") or {}).get(_CLIENT_ID, "")
    if found is None or has == wanted:
        seen = "comes with the chart logging" if found is None else f"acts as {wanted}"
        return [Finding(what, "has", seen)]
    cure = f"nothing to do: the next deploy sets it; the identity trusts system:serviceaccount:{space}:loki"
    return [Finding(what, "short", f"acts as {has or 'nobody'}, the target says {wanted}", cure)]


async def _metadata_server(api: Api) -> list[Finding]:
    what = "workload identity"
    nodes = await api.items("/api/v1/nodes")
    without = [
        node["metadata"]["name"] for node in nodes if (node["metadata"].get("labels") or {}).get(_METADATA) != "true"
    ]
    if nodes and not without:
        return [Finding(what, "has", "on every node")]
    cure = (
        "gcloud container clusters update <cluster> --workload-pool=<project>.svc.id.goog, then"
        " gcloud container node-pools update <pool> --cluster=<cluster> --workload-metadata=GKE_METADATA"
    )
    seen = (
        f"{len(without)} of {len(nodes)} nodes have no metadata server, {without[0]} among them" if nodes else "no node"
    )
    return [Finding(what, "lacks", seen, cure)]
