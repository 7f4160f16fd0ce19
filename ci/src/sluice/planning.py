"""The plan of a promotion: what runs on the target and what its charts say, and what would be."""

from sluice.promotion.model import PLATFORM
from sluice.promotion.plan import ChartChange, Plan, chart_change, image_changes
from sluice.run import side_by_side
from sluice.steps.fetch_release import Fetched
from sluice.steps.install_charts import LOGGING_IMAGES, MONITORING_IMAGES, service_values, values_by_digest
from sluice.target_tools import TargetTools


async def plan_of(there: TargetTools, release: Fetched, now: str) -> Plan:
    """Return what a release would change on a target, changing nothing. `now` is the one that is verified there."""
    made, running = release.release, await there.running()
    components = {image.name: image for image in made.components}
    spaces = there.target.cluster
    charts: list[tuple[str, str, str, dict[str, object]]] = [
        (
            name,
            f"helm/{name}",
            namespace,
            {"images": values_by_digest({one: components[one] for one in images if one in components})},
        )
        for name, namespace, images in (
            ("monitoring", spaces.monitoring, MONITORING_IMAGES),
            ("logging", spaces.logging, LOGGING_IMAGES),
        )
    ]
    for one in made.services:
        image = next(image for image in made.images if image.name == one.name)
        charts.append((one.name, one.chart, spaces.services, service_values(one, image, components)))
    helm = there.helm(release)

    async def change(one: tuple[str, str, str, dict[str, object]]) -> ChartChange:
        name, chart, namespace, values = one
        files = there.values_for(release, name if name in PLATFORM else f"service-{name}")
        before = await helm.manifest(name, namespace)
        after = await helm.rendered(name, chart, namespace, values=values, value_files=files)
        return chart_change(name, before, after)

    changes = await side_by_side(change, charts)
    return Plan(there.target.name, made.id, now, image_changes(made.everything, running), tuple(changes))
