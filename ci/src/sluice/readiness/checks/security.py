"""Checks of the section security."""

import re
from collections.abc import Iterator

from sluice.promotion.ledger import verified
from sluice.readiness.model import Found
from sluice.readiness.snapshot import Object, Snapshot
from sluice.readiness.workloads import Workload, databases, each, each_container, each_workload

# As masking.py knows a secret's name; a file's path is none.
_SECRET = re.compile(r"(?i)password|passwd|secret|token|api[_-]?key|access[_-]?key|credential")
_PATH = re.compile(r"(?i)_(file|path|dir|url)s?\Z")
_STANDARDS = ("baseline", "restricted")


def non_root(snapshot: Snapshot) -> Found:
    """Every container runs as somebody else than root."""

    def fault(container: Object, one: Workload) -> str:
        own, of_pod = container.get("securityContext") or {}, one.pod.get("securityContext") or {}
        if own.get("runAsUser", of_pod.get("runAsUser")) == 0:
            return "runAsUser 0"
        given = own.get("runAsNonRoot", of_pod.get("runAsNonRoot"))
        return "" if given is True else f"runAsNonRoot {given}"

    return each_container(snapshot, fault)


def read_only(snapshot: Snapshot) -> Found:
    """No container may write its own file system."""
    return each_container(
        snapshot,
        lambda container, _: (
            "" if (container.get("securityContext") or {}).get("readOnlyRootFilesystem") is True else "may write it"
        ),
    )


def no_privileges(snapshot: Snapshot) -> Found:
    """No container is privileged, may gain rights, or keeps a capability."""

    def fault(container: Object, _: Workload) -> str:
        context = container.get("securityContext") or {}
        if context.get("privileged"):
            return "privileged"
        if context.get("allowPrivilegeEscalation") is not False:
            return "may gain rights"
        capabilities = context.get("capabilities") or {}
        if "ALL" not in (capabilities.get("drop") or ()):
            return "keeps its capabilities"
        added = capabilities.get("add")
        return f"is given {', '.join(added)}" if added else ""

    return each_container(snapshot, fault)


def seccomp(snapshot: Snapshot) -> Found:
    """Every container has the runtime's filter of system calls."""

    def fault(container: Object, one: Workload) -> str:
        contexts = [container.get("securityContext") or {}, one.pod.get("securityContext") or {}]
        given: Object = next((context["seccompProfile"] for context in contexts if context.get("seccompProfile")), {})
        return "" if given.get("type") in ("RuntimeDefault", "Localhost") else f"seccompProfile {given.get('type')}"

    return each_container(snapshot, fault)


def host(snapshot: Snapshot) -> Found:
    """Only an agent of each node looks at its node, and only by reading: what is written there is its own folder."""

    def fault(one: Workload) -> Iterator[str]:
        agent = one.kind == "DaemonSet"
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if one.pod.get(key) and not (agent and key == "hostNetwork"):
                yield f"{key} is set"
        paths = {
            volume["name"]: volume["hostPath"]["path"]
            for volume in one.pod.get("volumes") or ()
            if "hostPath" in volume
        }
        if paths and not agent:
            yield f"mounts {', '.join(paths.values())} of its node"
        for container in one.every:
            for mount in container.get("volumeMounts") or ():
                if mount["name"] in paths and not mount.get("readOnly"):
                    yield f"{container['name']} may write {paths[mount['name']]} of its node"

    return each_workload(snapshot, fault)


def own_account(snapshot: Snapshot) -> Found:
    """Every workload has a ServiceAccount of its own; a service's has no token."""

    def fault(one: Workload) -> Iterator[str]:
        account = one.pod.get("serviceAccountName", "default")
        if account == "default":
            yield "runs as the namespace's default ServiceAccount"
        if not one.platform and one.pod.get("automountServiceAccountToken") is not False:
            yield "has a token of the API server, and no use for it"

    return each_workload(snapshot, fault)


def least_rights(snapshot: Snapshot) -> Found:
    """No role has a wildcard, or every Secret but those of its platform namespace; nobody is bound to cluster-admin."""
    cluster = snapshot.target.cluster
    # Whoever watches the services has no need of their Secrets.
    of_platform = {cluster.monitoring, cluster.logging} - {cluster.services}

    def fault(one: Object) -> Iterator[str]:
        if one.get("roleRef", {}).get("name") == "cluster-admin":
            yield "binds cluster-admin"
        for rule in one.get("rules") or ():
            for key in ("verbs", "resources", "apiGroups"):
                if "*" in (rule.get(key) or ()):
                    yield f"{key} *"
            own = one["kind"] == "Role" and one["metadata"].get("namespace") in of_platform
            if "secrets" in (rule.get("resources") or ()) and not rule.get("resourceNames") and not own:
                yield f"{', '.join(rule.get('verbs') or ())} every Secret"

    kinds = ("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding")
    return each("role or binding", snapshot.charts.of_kind(*kinds), fault)


def no_plain_secrets(snapshot: Snapshot) -> Found:
    """No variable of a container, and no ConfigMap of a service, has a secret in plain text."""
    things: list[tuple[str, dict[str, str]]] = []
    for chart, objects in snapshot.charts.services.items():
        things += [
            (f"{chart} ConfigMap/{one['metadata']['name']}", dict(one.get("data") or {}))
            for one in objects
            if one["kind"] == "ConfigMap"
        ]

    def fault(variables: dict[str, str]) -> list[str]:
        return [f"{name} stands there in plain text" for name, value in variables.items() if _plain(name, value)]

    found = each("ConfigMap", things, fault)
    containers = each_container(
        snapshot,
        lambda container, _: ", ".join(
            f"{one['name']} stands there in plain text"
            for one in container.get("env") or ()
            if _plain(one["name"], str(one.get("value", "")))
        ),
    )
    return Found(f"{found.seen}, {containers.seen}", (*found.wrong, *containers.wrong))


def _plain(name: str, value: str) -> bool:
    return bool(value) and _SECRET.search(name) is not None and _PATH.search(name) is None


def admission(snapshot: Snapshot) -> Found:
    """The services' namespace takes no pod that the standard `baseline` refuses."""
    wanted = snapshot.target.cluster.services
    spaces = [(wanted, one) for one in snapshot.cluster.of("namespaces") if one["metadata"]["name"] == wanted]

    def fault(one: Object) -> str:
        level = (one["metadata"].get("labels") or {}).get("pod-security.kubernetes.io/enforce")
        return "" if level in _STANDARDS else f"pod-security.kubernetes.io/enforce is {level}"

    return each("namespace of the services", spaces, fault)


def database_encrypted(snapshot: Snapshot) -> Found:
    """A service speaks to its database by TLS only."""
    given = [(name, str(data.get("DATABASE_SSLMODE"))) for name, data in databases(snapshot.charts)]
    return each(
        "service with a database",
        given,
        lambda mode: "" if mode in ("require", "verify-ca", "verify-full") else f"sslmode {mode}",
    )


def signed(snapshot: Snapshot) -> Found:
    """The release that runs, and each of its images, is signed by whom the target trusts."""
    if verified(snapshot.ledger.entries) is None:
        return Found("the ledger", ("no release was ever verified here",))
    return Found("the release that runs", snapshot.ledger.unproven)


CHECKS = {
    "security.non-root": non_root,
    "security.read-only": read_only,
    "security.no-privileges": no_privileges,
    "security.seccomp": seccomp,
    "security.host": host,
    "security.own-account": own_account,
    "security.least-rights": least_rights,
    "security.no-plain-secrets": no_plain_secrets,
    "security.admission": admission,
    "security.database-encrypted": database_encrypted,
    "security.signed": signed,
}
