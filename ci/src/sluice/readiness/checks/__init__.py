"""Every automatic check by its item's id: a function of a snapshot, which says what it saw and what is wrong."""

from collections.abc import Callable, Mapping

from sluice.readiness.checks import (
    alerting,
    architecture,
    capacity,
    cost,
    data,
    deployment,
    documentation,
    logs,
    network,
    observability,
    reliability,
    security,
)
from sluice.readiness.model import Found
from sluice.readiness.snapshot import Snapshot

Check = Callable[[Snapshot], Found]
CHECKS: Mapping[str, Check] = {
    **architecture.CHECKS,
    **security.CHECKS,
    **reliability.CHECKS,
    **observability.CHECKS,
    **alerting.CHECKS,
    **logs.CHECKS,
    **capacity.CHECKS,
    **data.CHECKS,
    **deployment.CHECKS,
    **network.CHECKS,
    **cost.CHECKS,
    **documentation.CHECKS,
}
