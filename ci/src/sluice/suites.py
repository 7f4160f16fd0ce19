"""What the suites are told of the cluster that they run on, whichever it is."""

from collections.abc import Sequence
from pathlib import Path

from sluice.domain import Fixture, Service
from sluice.run import Run
from sluice.settings import NamespaceSettings, Settings
from sluice.steps.run_suites import ServiceAddress, SuiteContext


def suite_context(
    settings: Settings,
    run: Run,
    *,
    spaces: NamespaceSettings,
    services: Sequence[Service],
    fixtures: Sequence[Fixture] = (),
    kubeconfig: Path,
    helm: Path,
    kubectl: Path,
) -> SuiteContext:
    """Return the context of a run's suites on the cluster of a kubeconfig."""
    return SuiteContext(
        run_id=run.id,
        kubeconfig=str(kubeconfig),
        namespace=spaces.services,
        services={one.name: ServiceAddress(spaces.services, one.name, one.port) for one in services},
        prometheus=ServiceAddress(spaces.monitoring, "prometheus", 9090),
        alertmanager=ServiceAddress(spaces.monitoring, "alertmanager", 9093),
        loki=ServiceAddress(spaces.logging, "loki", 3100),
        fixtures=tuple(fixture.name for fixture in fixtures),
        helm=str(helm),
        kubectl=str(kubectl),
        evidence_dir=str(run.folder),
        quiet_minutes=settings.run.quiet_minutes,
        # What the command line may have said; the rest is in the environment and in sluice.toml already.
        settings={"SLUICE_SUPPLY_MODE": settings.supply.mode, "SLUICE_RUN_RUNTIME": settings.run.runtime},
    )
