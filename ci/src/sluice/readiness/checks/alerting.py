"""Checks of the section alerting."""

from collections.abc import Iterator

from sluice.readiness.model import Found
from sluice.readiness.snapshot import Object, Snapshot
from sluice.readiness.workloads import alerts, each

_FEWEST = 2
WATCHDOG = "Watchdog"
_QUIET = ("info", "none")  # severities of which nobody is told, on purpose
_SEVERITIES = ("critical", "warning", *_QUIET)


def attended(snapshot: Snapshot) -> Found:
    """The target's values name who is told: the chart may not leave alerts unattended."""
    given = snapshot.charts.values.get("monitoring", {}).get("alertmanager") or {}
    unattended = given.get("unattended", True)
    return Found("alertmanager.unattended", ("is true: alerts wake nobody",) if unattended else ())


def routes(snapshot: Snapshot) -> Found:
    """Each route of the running Alertmanager leads to a receiver that sends, but those of severities info and none."""
    config = snapshot.alertmanager.config
    sends = {
        one["name"]
        for one in config.get("receivers") or ()
        if any(key.endswith("_configs") and value for key, value in one.items())
    }
    return each(
        "route",
        _routes(config.get("route") or {}, ""),
        lambda receiver: "" if receiver in sends else f"its receiver {receiver or 'none'} sends to nobody",
    )


def _routes(route: Object, inherited: str) -> Iterator[tuple[str, str]]:
    """Every route with its receiver, those of info and none left out."""
    if not route:
        return
    receiver = str(route.get("receiver") or inherited)
    matchers = [str(one) for one in route.get("matchers") or ()]
    quiet = [one for one in matchers if "severity" in one and any(word in one for word in _QUIET)]
    loud = [one for one in matchers if "severity" in one and any(word in one for word in ("critical", "warning"))]
    if not quiet or loud:
        yield "route " + (", ".join(matchers) or "of what no other takes"), receiver
    for below in route.get("routes") or ():
        yield from _routes(below, receiver)


def watchdog(snapshot: Snapshot) -> Found:
    """The dead man's switch is on its way: Prometheus fires it, and Alertmanager has it."""
    active = snapshot.alertmanager.alerts
    return Found(f"active alerts: {len(active)}", () if WATCHDOG in active else (f"{WATCHDOG} is not among them",))


def quiet(snapshot: Snapshot) -> Found:
    """No critical alert fires."""
    firing = snapshot.prometheus.numbers.get("firing")
    if firing is None:
        return Found("critical alerts that fire", ("Prometheus did not tell",))
    return Found("critical alerts that fire", tuple(f"{name} fires" for name in sorted(firing)))


def alertmanagers(snapshot: Snapshot) -> Found:
    """Two Alertmanagers at least know each other: one node that goes takes no page with it."""
    peers = snapshot.alertmanager.peers
    few = (f"{peers} of them: alerts are lost while it is away",) if peers < _FEWEST else ()
    return Found(f"Alertmanagers: {peers}", few)


def runbooks(snapshot: Snapshot) -> Found:
    """Every alert of the charts has a severity that is routed, a summary and a runbook."""

    def fault(rule: Object) -> Iterator[str]:
        labels, notes = rule.get("labels") or {}, rule.get("annotations") or {}
        severity = labels.get("severity")
        if severity not in _SEVERITIES:
            yield f"severity {severity}"
        if not notes.get("runbook_url"):
            yield "no runbook"
        if not notes.get("summary"):
            yield "no summary"

    return each("alert", alerts(snapshot.charts), fault)


CHECKS = {
    "alerting.attended": attended,
    "alerting.routes": routes,
    "alerting.watchdog": watchdog,
    "alerting.quiet": quiet,
    "alerting.alertmanagers": alertmanagers,
    "alerting.runbooks": runbooks,
}
