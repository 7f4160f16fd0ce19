"""Monitoring, logging and services onto the cluster: one function each, so that each goes when it can."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from sluice.domain import ChartRelease, Image, Service

MONITORING_IMAGES = (
    "prometheus-operator",
    "prometheus-config-reloader",
    "prometheus",
    "alertmanager",
    "kube-state-metrics",
    "node-exporter",
    "metrics-server",
    "prometheus-adapter",
)
LOGGING_IMAGES = ("loki", "promtail")
GRAFANA = "grafana"  # in no package registry: a cluster may be without it
# A fixture whose image runs beside each service that requires it: in its chart's values, under the fixture's name.
SIDECARS = {"dapr": "daprd"}


class Charts(Protocol):
    """Knows how to install a chart."""

    async def install(
        self,
        release: str,
        chart: str,
        namespace: str,
        *,
        values: Mapping[str, object],
        value_files: Sequence[Path] = (),
    ) -> ChartRelease:
        """Install or upgrade; raises ChartError."""
        ...

    async def installed(self, release: str, namespace: str) -> bool:
        """Whether a revision of the release was ever up."""
        ...


class Manifests(Protocol):
    """Knows how to put plain manifests on the cluster."""

    async def apply(self, path: Path, *, server_side: bool = True) -> None:
        """Apply a file or a folder."""
        ...

    async def apply_fixture(
        self, folder: Path, images: Mapping[str, Image], namespace: str, *, label: tuple[str, str]
    ) -> tuple[str, ...]:
        """Apply a kustomization with its images by digest and a label; returns its workloads, as `Kind/name`."""
        ...

    async def apply_for_service(
        self, file: Path, images: Mapping[str, Image], namespace: str, *, service: str, label: tuple[str, str]
    ) -> tuple[str, ...]:
        """Apply a fixture's file for one service, the same way, with the file's variables filled in."""
        ...

    async def ensure_secret(
        self, name: str, namespace: str, values: Mapping[str, str], *, kind: str = "Opaque"
    ) -> None:
        """Create a secret of a type unless it is there."""
        ...


class RolledOut(Protocol):
    """Knows how to wait until what a namespace holds is up, and to tell at the deadline what is not."""

    def __call__(self, namespace: str, *, expect: Sequence[str] = (), selector: str = "") -> Awaitable[None]:
        """Return when it is; raises NotReady."""
        ...


@dataclass(frozen=True)
class Installer:
    """What installing works with: `root` has the charts and fixtures, `values_for` gives a chart's files of values.

    It is asked for `monitoring` and `logging`, for `service`, which is all of them, and for `service-<name>`.
    """

    root: Path
    charts: Charts
    manifests: Manifests
    rolled_out: RolledOut
    values_for: Callable[[str], Sequence[Path]]


def values_in(folder: Path) -> Callable[[str], Sequence[Path]]:
    """The values that a folder has for a chart, in `<chart>.yaml`, where there are any."""
    return lambda chart: [file] if (file := folder / f"{chart}.yaml").is_file() else []


async def prepare(installer: Installer, definitions: Path) -> None:
    """Namespaces and the operator's custom resource definitions; everything else waits for these."""
    await installer.manifests.apply(installer.root / "k8s-fixtures" / "namespaces.yaml")
    await installer.manifests.apply(definitions)


async def install_monitoring(
    installer: Installer, namespace: str, images: Mapping[str, Image], grafana: Image | None
) -> ChartRelease:
    """Prometheus and its kin; returns when all of it is up."""
    values = monitoring_values(images, grafana)
    if grafana:
        password = secrets.token_urlsafe(24)
        await installer.manifests.ensure_secret("grafana", namespace, {"user": "admin", "password": password})
    files = installer.values_for("monitoring")
    install = partial(installer.charts.install, "monitoring", "helm/monitoring", namespace, value_files=files)
    made_by_operator = ("StatefulSet/prometheus-k8s", "StatefulSet/alertmanager-main")
    expected = [f"{namespace}/{name}" for name in made_by_operator]
    if await installer.charts.installed("monitoring", namespace):
        # Its servers are registered, and go on serving while their pods are replaced.
        release = await install(values=values)
        await installer.rolled_out(namespace, expect=expected)
        return release
    unregistered = {server: {"registered": False} for server in ("metricsServer", "prometheusAdapter")}
    await install(values={**values, **unregistered})
    await installer.rolled_out(namespace, expect=expected)
    # Now that they serve: an API server that is told of an address before the node knows the way there may reach what
    # answers outside of the cluster, and go on asking that.
    return await install(values=values)


async def install_logging(installer: Installer, namespace: str, images: Mapping[str, Image]) -> ChartRelease:
    """Loki and Promtail; returns when both are up."""
    release = await installer.charts.install(
        "logging",
        "helm/logging",
        namespace,
        values=logging_values(images),
        value_files=installer.values_for("logging"),
    )
    await installer.rolled_out(namespace)
    return release


async def install_service(
    installer: Installer, service: Service, namespace: str, image: Image, components: Mapping[str, Image]
) -> ChartRelease:
    """One service from its own chart; returns when it is up. `components` are the images of what it requires."""
    values = service_values(service, image, components)
    # What suites need of all services, then what they need of this one.
    files = [*installer.values_for("service"), *installer.values_for(f"service-{service.name}")]
    release = await installer.charts.install(service.name, service.chart, namespace, values=values, value_files=files)
    await installer.rolled_out(
        namespace,
        expect=[f"{namespace}/Deployment/{service.name}"],
        selector=f"app.kubernetes.io/instance={service.name}",
    )
    return release


def monitoring_values(images: Mapping[str, Image], grafana: Image | None) -> dict[str, object]:
    """Return the values of the chart `monitoring` that name images."""
    if grafana:
        return {"images": _by_digest({**images, "grafana": grafana}), "grafana": {"enabled": True}}
    return {"images": _by_digest(images)}


def logging_values(images: Mapping[str, Image]) -> dict[str, object]:
    """Return the values of the chart `logging` that name images."""
    return {"images": _by_digest(images)}


def service_values(service: Service, image: Image, components: Mapping[str, Image]) -> dict[str, object]:
    """Return the values of a service's chart that name images: its own, and those that run beside it."""
    beside = {
        fixture: {"image": _reference(components[component])}
        for fixture, component in SIDECARS.items()
        if fixture in service.requires
    }
    return {"image": _reference(image), **beside}


def _by_digest(images: Mapping[str, Image]) -> dict[str, dict[str, str]]:
    return {name: _reference(image) for name, image in images.items()}


def _reference(image: Image) -> dict[str, str]:
    return {"repository": image.repository, "digest": image.digest}
