"""Whether metrics-server answers, and where it does not, what the API server says of it."""

from tests.e2e.kube import Kube

_API_SERVICE = "apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"


async def assert_answers(kube: Kube) -> None:
    """Fail with the API server's own reason while it does not take metrics-server for available."""
    conditions = (await kube.get(_API_SERVICE)).get("status", {}).get("conditions", [])
    available = {one["type"]: one for one in conditions}.get("Available", {})
    told = f"{available.get('reason')}: {available.get('message')}"
    assert available.get("status") == "True", f"metrics-server is not available to the API server: {told}"
