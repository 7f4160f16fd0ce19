"""What the suites' Alertmanager tells, and the secrets that it reads to do so (tests/e2e/values/monitoring.yaml)."""

import secrets

from sluice.domain import Image
from sluice.steps.install_charts import Installer
from sluice.steps.install_fixtures import put

NAME = "alert-receivers"
PORT = 8080


async def install_receivers_secrets(installer: Installer, namespace: str) -> None:
    """Make the Secrets that Alertmanager mounts, unless they are there: without them its pod does not start."""
    address = f"http://{NAME}.{namespace}:{PORT}"
    for kind in ("slack", "webhook"):
        url = f"{address}/{kind}/{secrets.token_urlsafe(24)}"
        await installer.manifests.ensure_secret(f"{NAME}-{kind}", namespace, {"url": url})
    await installer.manifests.ensure_secret(f"{NAME}-pagerduty", namespace, {"routing-key": secrets.token_hex(16)})


async def install_receivers(installer: Installer, namespace: str, image: Image) -> None:
    """Put the receivers on the cluster, from a service's image; returns when they are up."""
    await put(installer, NAME, namespace, {"service": image})
