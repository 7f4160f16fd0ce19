"""Checks of the section architecture."""

from collections import Counter
from collections.abc import Mapping

from sluice.readiness.model import Found
from sluice.readiness.snapshot import Snapshot
from sluice.readiness.workloads import Workload, databases, each, each_workload, of_services


def delivered(snapshot: Snapshot) -> Found:
    """Every service of the tree is rendered as a Deployment of its name."""
    rendered = {one.name for one in of_services(snapshot.charts)}
    services = [(name, name) for name in snapshot.tree.services]
    return each("service", services, lambda name: "" if name in rendered else "no chart deploys it")


def own_database(snapshot: Snapshot) -> Found:
    """No two services have the same database, or are the same user of it."""
    given = databases(snapshot.charts)
    names = Counter((data.get("DATABASE_HOST"), data["DATABASE_NAME"]) for _, data in given)
    users = Counter((data.get("DATABASE_HOST"), data.get("DATABASE_USER")) for _, data in given)

    def fault(data: Mapping[str, str]) -> list[str]:
        host = data.get("DATABASE_HOST")
        return [
            "shares its database" if names[host, data["DATABASE_NAME"]] > 1 else "",
            "shares its user" if users[host, data.get("DATABASE_USER")] > 1 else "",
        ]

    return each("service with a database", given, fault)


def apart(snapshot: Snapshot) -> Found:
    """Services, monitoring and logging have a namespace each."""
    spaces = snapshot.target.cluster
    named = {"services": spaces.services, "monitoring": spaces.monitoring, "logging": spaces.logging}
    shared = Counter(named.values())
    return each("namespace", named.items(), lambda name: f"shares {name}" if shared[name] > 1 else "")


def small(snapshot: Snapshot) -> Found:
    """A service's pod has one program of its own: what stands beside it is a sidecar."""

    def fault(one: Workload) -> str:
        names = [container["name"] for container in one.containers if container["name"] != "daprd"]
        return f"runs {', '.join(names)} in one pod" if len(names) != 1 else ""

    return each_workload(snapshot, fault, services=True)


CHECKS = {
    "architecture.delivered": delivered,
    "architecture.own-database": own_database,
    "architecture.apart": apart,
    "architecture.one-program": small,
}
