"""The plan of a promotion: what runs on the target and what its charts say, and what would be."""

from sluice.promotion.model import PLATFORM
from sluice.promotion.plan import ChartChange, Plan, chart_change, image_changes
from sluice.run import side_by_side
from sluice.steps.fetch_release import Fetched
from sluice.steps.install_charts import (
    GRAFANA,
    LOGGING_IMAGES,
    MONITORING_IMAGES,
    SIDECARS,
    logging_values,
    monitoring_values,
    service_values,
)
from sluice.target_tools import TargetTools


async def plan_of(there: TargetTools, release: Fetched, now: str) -> Plan:
    """Return what a release would change on a target, changing nothing. `now` is the one that is verified there."""
    made, running = release.release, await there.running()
    spaces, beside = there.target.cluster, made.among(SIDECARS.values())
    grafana = made.among([GRAFANA]).get(GRAFANA)
    charts: list[tuple[str, str, str, dict[str, object]]] = [
        ("monitoring", "helm/monitoring", spaces.monitoring, monitoring_values(made.among(MONITORING_IMAGES), grafana)),
        ("logging", "helm/logging", spaces.logging, logging_values(made.among(LOGGING_IMAGES))),
    ]
    charts += [
        (one.name, one.chart, spaces.services, service_values(one, made.image(one.name), beside))
        for one in made.services
    ]
    helm = there.helm(release)

    async def change(one: tuple[str, str, str, dict[str, object]]) -> ChartChange:
        name, chart, namespace, values = one
        files = there.values_for(release, name if name in PLATFORM else f"service-{name}")
        before = await helm.manifest(name, namespace)
        after = await helm.rendered(name, chart, namespace, values=values, value_files=files)
        return chart_change(name, before, after)

    changes = await side_by_side(change, charts)
    return Plan(there.target.name, made.id, now, image_changes(made.everything, running), tuple(changes))
