"""kubectl's command line as pages show it: the verb, where, which objects. Nothing is run.

https://kubernetes.io/docs/reference/kubectl/generated/
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.unit.docs.mentions import commands
from tests.unit.docs.pages import ROOT, Page

# Verbs with what their first words are: kinds and names, a pod or kind/name, another verb, or nothing of the cluster.
_OF_KIND = {"get", "describe", "delete", "edit", "patch", "scale", "annotate", "label", "wait", "autoscale", "expose"}
_OF_POD = {"logs", "exec", "attach", "port-forward", "debug", "cp"}
_OF_NODE = {"cordon", "uncordon", "drain"}
_PAIRED = {
    "rollout": {"status", "history", "restart", "undo", "pause", "resume"},
    "top": {"pod", "pods", "node", "nodes"},
    "auth": {"can-i", "whoami", "reconcile"},
    "config": {"get-contexts", "current-context", "use-context", "rename-context", "delete-context", "view"},
}
_ELSE = {"apply", "create", "version", "cluster-info", "events", "explain", "api-resources"}
_ELSE |= {"kustomize", "set", "run", "replace"}
VERBS = _OF_KIND | _OF_POD | _OF_NODE | _PAIRED.keys() | _ELSE
# Options whose value is the next word; of all others it is behind `=`, or there is none.
_WITH_VALUE = {"-n", "-o", "-l", "-c", "-f", "-p", "-k", "--namespace", "--output", "--selector", "--container"}
_WITH_VALUE |= {"--filename", "--kubeconfig", "--context", "--field-selector", "--raw", "--replicas", "--tail"}
_WITH_VALUE |= {"--since", "--timeout", "--for", "--patch", "--type", "--sort-by"}
_LONG = {"-n": "namespace", "-l": "selector", "-c": "container", "-o": "output", "-f": "filename"}
KINDS = {
    "pods": "pod po",
    "deployments": "deployment deploy",
    "statefulsets": "statefulset sts",
    "daemonsets": "daemonset ds",
    "replicasets": "replicaset rs",
    "services": "service svc",
    "configmaps": "configmap cm",
    "secrets": "secret",
    "jobs": "job",
    "nodes": "node no",
    "namespaces": "namespace ns",
    "events": "event ev",
    "horizontalpodautoscalers": "horizontalpodautoscaler hpa",
    "poddisruptionbudgets": "poddisruptionbudget pdb",
    "persistentvolumeclaims": "persistentvolumeclaim pvc",
    "persistentvolumes": "persistentvolume pv",
    "networkpolicies": "networkpolicy netpol",
    "endpointslices": "endpointslice",
    "endpoints": "ep",
    "ingresses": "ingress ing",
    "serviceaccounts": "serviceaccount sa",
    "storageclasses": "storageclass sc",
    "resourcequotas": "resourcequota quota",
    "leases": "lease",
    "apiservices": "apiservice",
    "certificatesigningrequests": "certificatesigningrequest csr",
    "servicemonitors": "servicemonitor smon",
    "podmonitors": "podmonitor pmon",
    "validatingwebhookconfigurations": "validatingwebhookconfiguration",
    "mutatingwebhookconfigurations": "mutatingwebhookconfiguration",
    "prometheusrules": "prometheusrule promrule",
    "prometheuses": "prometheus prom",
    "alertmanagers": "alertmanager",
    "components": "component",
    "customresourcedefinitions": "customresourcedefinition crd",
}
_KIND_OF = {word: kind for kind, words in KINDS.items() for word in (kind, *words.split())}


@dataclass(frozen=True)
class Call:
    """One command: `objects` are (kind, name); what a reader fills in is in none of them."""

    where: str
    verb: str
    kinds: tuple[str, ...] = ()
    objects: tuple[tuple[str, str], ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()  # the options as they are written

    @property
    def namespace(self) -> str:
        """Where it looks; kubectl's own choice where it does not say."""
        return self.options.get("namespace", "default")


def calls(page: Page) -> Iterator[Call]:
    """Every call of kubectl on a page."""
    for where, words in commands(page, (("kubectl",),)):
        yield read(words[1:], f"{page.name}:{where.line}: {where.text.strip()}")


def read(words: list[str], where: str = "") -> Call:
    """Read the words behind `kubectl`."""
    options: dict[str, str] = {}
    flags: list[str] = []
    plain: list[str] = []
    rest = list(words[: words.index("--")] if "--" in words else words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            plain.append(word)
            continue
        name, equals, value = word.partition("=")
        flags.append(name)
        if not equals and name in _WITH_VALUE and rest:
            value = rest.pop(0)
        options[_LONG.get(name, name.lstrip("-"))] = value
    verb, *others = plain or [""]
    if verb in _PAIRED and others:
        sub, *others = others
        verb = f"{verb} {sub}"
    kinds, objects = _named(verb, others)
    if verb == "create":
        verb = " ".join([verb, *others[: 2 if others[:1] == ["secret"] else 1]])
    return Call(where, verb, tuple(kinds), tuple(objects), options, tuple(flags))


def _named(verb: str, words: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The kinds, and the objects by kind and name, that the words behind a verb mean."""
    head = verb.partition(" ")[0]
    if head == "create":  # of Secrets only: what a chart reads has to be called as it reads it
        return [], _known([("secrets", word) for word in words[2:3] if words[:2] == ["secret", "generic"]])
    if head not in _OF_KIND | _OF_POD | {"rollout", "top"} or not words:
        return [], []
    if "/" in words[0]:
        pairs = [word.partition("/") for word in words if "/" in word]
        return [kind for kind, _, _ in pairs], _known([(kind, name) for kind, _, name in pairs])
    if head in _OF_POD:
        return [], _known([("pods", words[0])])
    if head == "top":
        return [], _known([("pods" if "pod" in verb else "nodes", name) for name in words])
    kinds = words[0].split(",")
    wanted = [word for word in words[1:] if "=" not in word and not word.endswith("-")]
    return kinds, _known([(kind, name) for kind in kinds for name in wanted])


def _known(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(_KIND_OF.get(kind, kind), name) for kind, name in pairs if not placeholder(name) and not placeholder(kind)]


def placeholder(word: str) -> bool:
    """What a reader puts something in the place of: $POD, <pod>, NAME."""
    return bool(set("<>…$*") & set(word)) or (word.isupper() and word.isalpha())


def mistakes(call: Call, namespaces: set[str]) -> list[str]:
    """What kubectl, or a cluster of ours, would not take of a call."""
    found = []
    verb, _, sub = call.verb.partition(" ")
    if verb and verb not in VERBS and not placeholder(verb):
        found.append(f"kubectl has no {verb}")
    if verb in _PAIRED and sub and sub not in _PAIRED[verb]:
        found.append(f"kubectl {verb} has no {sub}")
    # A full name has its group behind it.
    found += [
        f"no kind {kind}" for kind in call.kinds if kind.partition(".")[0] not in _KIND_OF and not placeholder(kind)
    ]
    if not placeholder(call.namespace) and call.namespace not in namespaces:
        found.append(f"no namespace {call.namespace}, there is {', '.join(sorted(namespaces))}")
    file = call.options.get("filename", "")
    if file.startswith(("k8s-fixtures/", "helm/")) and not placeholder(file) and not (ROOT / file).exists():
        found.append(f"no file {file}")
    return [f"{call.where}: {one}" for one in found]


def proxied(call: Call) -> tuple[str, str, str] | None:
    """The namespace, `service:port` and path of a question by the API server's service proxy; None where it is none."""
    found = re.fullmatch(r"/api/v1/namespaces/([^/]+)/services/([^/]+)/proxy(/.*)", call.options.get("raw", ""))
    return (found[1], found[2], found[3]) if found else None
