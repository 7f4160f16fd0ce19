"""Whether what autoscalers ask answers, and where it does not, what the API server says of it."""

from tests.e2e.kube import Kube

RESOURCE_METRICS = "v1beta1.metrics.k8s.io"
CUSTOM_METRICS = "v1beta2.custom.metrics.k8s.io"


async def assert_answers(kube: Kube, api: str = RESOURCE_METRICS) -> None:
    """Fail with the API server's own reason while it does not take the server behind an API for available."""
    found = await kube.get(f"apis/apiregistration.k8s.io/v1/apiservices/{api}")
    conditions = found.get("status", {}).get("conditions", [])
    available = {one["type"]: one for one in conditions}.get("Available", {})
    told = f"{available.get('reason')}: {available.get('message')}"
    assert available.get("status") == "True", f"{api} is not available to the API server: {told}"
