"""The commands of those who operate a target, by their names: `cli` takes them all."""

from collections.abc import Callable, Mapping
from typing import Any

from sluice.entrypoints.delivery_command import delivery
from sluice.entrypoints.drill_command import drill
from sluice.entrypoints.failover_command import failover
from sluice.entrypoints.incident_command import incident
from sluice.entrypoints.readiness_command import readiness
from sluice.entrypoints.regions_command import regions
from sluice.entrypoints.slo_report_command import slo_report

OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "readiness": readiness,
    "incident": incident,
    "slo-report": slo_report,
    "delivery": delivery,
    "drill": drill,
    "regions": regions,
    "failover": failover,
}
