"""Checks of the section networking."""

from collections.abc import Iterator

from sluice.readiness.model import Found
from sluice.readiness.snapshot import Object, Snapshot
from sluice.readiness.workloads import Workload, each, each_workload, matches

_DAYS = 21
_FEWEST = 2
_DNS = ("kube-dns", "coredns")
_BOTH = {"Ingress", "Egress"}


def policies(snapshot: Snapshot) -> Found:
    """NetworkPolicies say of every workload of the pods' network who may call it, and whom it may call."""
    found = [(name.partition(" ")[0], one["spec"]) for name, one in snapshot.charts.of_kind("NetworkPolicy")]

    def fault(one: Workload) -> str:
        if one.pod.get("hostNetwork"):
            return (
                ""  # it is its node's network that it is in, where no policy applies; security.host bounds who may be
            )
        # A chart's policies are in its own namespace; services share one.
        ways = {
            way
            for chart, spec in found
            if (chart == one.chart or not one.platform) and matches(spec.get("podSelector"), one.labels)
            for way in spec.get("policyTypes") or ("Ingress",)
        }
        missing = sorted(_BOTH - ways)
        return f"no NetworkPolicy bounds its {' and '.join(missing).lower()}" if missing else ""

    return each_workload(snapshot, fault)


def wide_open(snapshot: Snapshot) -> Found:
    """No NetworkPolicy lets everybody in, or its pods go everywhere."""

    def fault(one: Object) -> Iterator[str]:
        for way, peers in (("ingress", "from"), ("egress", "to")):
            for rule in one["spec"].get(way) or ():
                given = rule.get(peers) or ()
                blocks = [(peer.get("ipBlock") or {}).get("cidr") for peer in given]
                if not given or {"0.0.0.0/0", "::/0"} & set(blocks):
                    ports = rule.get("ports")
                    yield f"{way} {'of everybody' if way == 'ingress' else 'to everywhere'}" + (
                        f", ports {', '.join(str(port.get('port')) for port in ports)}" if ports else ""
                    )

    return each("NetworkPolicy", snapshot.charts.of_kind("NetworkPolicy"), fault)


def not_exposed(snapshot: Snapshot) -> Found:
    """No Service of the charts is reached from outside past an ingress."""

    def fault(one: Object) -> str:
        kind = one["spec"].get("type", "ClusterIP")
        outside = one["spec"].get("externalIPs")
        return "" if kind == "ClusterIP" and not outside else f"type {kind}"

    return each("Service", snapshot.charts.of_kind("Service"), fault)


def tls(snapshot: Snapshot) -> Found:
    """Every Ingress, of the charts and on the target, serves all of its hosts by TLS."""
    given = snapshot.charts.of_kind("Ingress")
    given += snapshot.cluster.named("ingresses")

    def fault(one: Object) -> str:
        spec = one["spec"]
        by_tls = {host for entry in spec.get("tls") or () for host in entry.get("hosts") or ()}
        hosts = [rule.get("host") for rule in spec.get("rules") or ()] or [None]
        plain = [str(host or "any host") for host in hosts if host not in by_tls]
        return f"{', '.join(plain)} without TLS" if plain else ""

    # Without one nobody outside reaches anything, which is safe.
    return each("Ingress", given, fault) if given else Found("no Ingress")


def certificates(snapshot: Snapshot) -> Found:
    """No certificate that an ingress serves, or by which the API server knows its clients, ends within 21 days."""
    wrong = []
    for name, until in snapshot.cluster.certificates.items():
        days = None if until is None else (until - snapshot.at) / 86_400
        if days is None:
            wrong.append(f"{name}: there is no certificate that could be read")
        elif days < _DAYS:
            wrong.append(f"{name}: ends in {days:.0f} days" if days > 0 else f"{name}: is over")
    left = snapshot.prometheus.numbers.get("client_certificates", {})
    if not snapshot.cluster.certificates and not left:
        wrong.append("no certificate is known: neither an ingress's nor a client's")
    soon = {job: one / 86_400 for job, one in left.items() if not one >= _DAYS * 86_400}  # NaN is soon
    wrong += [f"a client of {job}: ends in {days:.0f} days" for job, days in soon.items()]
    return Found(f"of ingresses: {len(snapshot.cluster.certificates)}, of clients: {len(left)}", tuple(wrong))


def dns(snapshot: Snapshot) -> Found:
    """Two pods of the cluster's DNS are ready."""
    given = [
        (f"Deployment/{one['metadata']['name']}", one)
        for one in snapshot.cluster.of("deployments", "kube-system")
        if one["metadata"]["name"] in _DNS
    ]

    def fault(one: Object) -> str:
        ready = int((one.get("status") or {}).get("readyReplicas") or 0)
        return "" if ready >= _FEWEST else f"{ready} ready"

    return each("DNS server", given, fault)


def answered(snapshot: Snapshot) -> Found:
    """Behind every Service of the target's namespaces is a pod that is ready."""
    slices = snapshot.cluster.of("endpointslices")
    ready = {
        (one["metadata"]["namespace"], (one["metadata"].get("labels") or {}).get("kubernetes.io/service-name"))
        for one in slices
        for endpoint in one.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
    }
    given = [(name, one) for name, one in snapshot.cluster.named("services") if one["spec"].get("selector")]

    def fault(one: Object) -> str:
        return "" if (one["metadata"]["namespace"], one["metadata"]["name"]) in ready else "no pod answers"

    return each("Service", given, fault)


CHECKS = {
    "networking.policies": policies,
    "networking.not-wide-open": wide_open,
    "networking.not-exposed": not_exposed,
    "networking.tls": tls,
    "networking.certificates": certificates,
    "networking.dns": dns,
    "networking.answered": answered,
}
