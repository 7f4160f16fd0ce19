"""What services require (k8s-fixtures/<name>), and what a fixture makes for each of them."""

import secrets
from collections.abc import Mapping, Sequence

from sluice.domain import Fixture, Image, Service
from sluice.steps.install_charts import Installer
from sluice.steps.resolve_source import EACH_SERVICE, FIXTURES

# Under this label the objects of one application are found again, whatever labels they have of their own.
APPLIED = "sluice.dev/applied"


async def install_fixture(installer: Installer, fixture: Fixture, namespace: str, images: Mapping[str, Image]) -> None:
    """Put a fixture on the cluster, with passwords of its own that nobody sees; returns when it is up.

    The Secret `<fixture>` is its administrator's, `<fixture>-monitoring` that of what watches it (key `password`).
    """
    await ensure_passwords(installer, fixture.name, namespace)
    await put(installer, fixture.name, namespace, images)


async def ensure_passwords(installer: Installer, fixture: str, namespace: str) -> None:
    """Make a fixture's two Secrets, unless they are there."""
    for secret in (fixture, f"{fixture}-monitoring"):
        await installer.manifests.ensure_secret(secret, namespace, {"password": _password()})


async def put(installer: Installer, name: str, namespace: str, images: Mapping[str, Image]) -> None:
    """Put a folder of k8s-fixtures on the cluster; returns when what runs of it is up."""
    applied = await installer.manifests.apply_fixture(
        installer.root / FIXTURES / name, images, namespace, label=(APPLIED, name)
    )
    await _wait(installer, namespace, applied, name)


async def provide(
    installer: Installer, fixture: Fixture, service: Service, namespace: str, images: Mapping[str, Image]
) -> None:
    """Make what a fixture has for one service, with a password that is the service's; returns when it is there.

    The Secret is `<service>-database`, key `password`. Needs the fixture to be up.
    """
    await installer.manifests.ensure_secret(f"{service.name}-database", namespace, {"password": _password()})
    name = f"{fixture.name}.{service.name}"
    applied = await installer.manifests.apply_for_service(
        installer.root / FIXTURES / fixture.name / EACH_SERVICE,
        images,
        namespace,
        service=service.name,
        label=(APPLIED, name),
    )
    await _wait(installer, namespace, applied, name)


def _password() -> str:
    return secrets.token_urlsafe(24)


async def _wait(installer: Installer, namespace: str, workloads: Sequence[str], label: str) -> None:
    if workloads:
        expect = [f"{namespace}/{workload}" for workload in workloads]
        await installer.rolled_out(namespace, expect=expect, selector=f"{APPLIED}={label}")
