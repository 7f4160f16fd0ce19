"""A canary by replicas: how many pods a step has, what they are made of, and what its numbers say. Pure.

Pods of the new release stand beside those of the old one, behind the same Service; docs/decisions/0018 has the
alternatives and what else selects these pods.
"""

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sluice.domain import SuiteTable
from sluice.errors import ChartError

LABEL, VALUE = "track", "canary"
# Kubernetes' recommended label: what the charts' Services and Deployments select by.
NAME_LABEL, MANAGED_BY = "app.kubernetes.io/name", "app.kubernetes.io/managed-by"

FEWEST_EVENTS = 50  # a share of fewer says little: one bad event would be 2 % or more
# At the very limit of 14.4 times a budget of 0.1 %, fifty events have two bad ones in 16 of 100 cases, three in 4.
FEWEST_BAD = 3
# A look in the middle stops only what is beyond doubt, so that many looks do not add up to a false alarm; the last one
# is held to the usual bound. J. Haybittle, Brit. J. Radiology 44 (1971); R. Peto et al., Brit. J. Cancer 34 (1976).
WHILE_IT_RUNS, AT_THE_END = 0.001, 0.01


@dataclass(frozen=True)
class Events:
    """How many events there were, and how many of them were bad."""

    bad: float
    total: float

    @property
    def ratio(self) -> float:
        """The share of bad events; 0 where there were none at all."""
        return self.bad / self.total if self.total else 0.0

    def __str__(self) -> str:
        return f"{self.bad:.0f} of {self.total:.0f} bad"


@dataclass(frozen=True)
class Compared:
    """What one SLO counted of both during a step. `budget` is the share that may be bad."""

    objective: str
    budget: Decimal
    canary: Events
    stable: Events

    @property
    def burn(self) -> float:
        """How many times what is allowed was bad of the canary."""
        return self.canary.ratio / float(self.budget)

    @property
    def chance(self) -> float:
        """How likely the canary would have so many bad events by chance, were it like the stable."""
        return fisher_exact(self.canary, self.stable)


@dataclass(frozen=True)
class Judgement:
    """What a look found: reasons to stop, what has to be waited for, and which SLOs had too few events to judge by."""

    worse: tuple[str, ...]
    few: tuple[str, ...]
    unjudged: tuple[str, ...]


@dataclass(frozen=True)
class CanaryOutcome:
    """How a canary ended. `step` is the percent of its last step, `left` why it is still there after it stopped."""

    service: str
    went_on: bool
    step: int
    reason: str
    table: SuiteTable
    left: str = ""


def pods_at(percent: int, stable: int) -> int:
    """Return how many canary pods come nearest to a share of all pods, at least one."""
    return max(1, round(stable * percent / (100 - percent)))


def canary_name(service: str) -> str:
    """The name of a service's canary."""
    return f"{service}-{VALUE}"


def canary_selector(service: str) -> str:
    """The label selector of everything that a service's canary is made of."""
    return f"{NAME_LABEL}={service},{LABEL}={VALUE}"


def canary_objects(
    service: str,
    deployment: Mapping[str, Any],
    config: Iterable[Mapping[str, Any]],
    *,
    namespace: str,
    replicas: int,
) -> tuple[dict[str, Any], ...]:
    """Return the objects of a canary: the ConfigMaps of the new release that its pods refer to, then its Deployment.

    The copies have names of their own, since the stable pods still read the old ones. The pods keep the labels that
    Service, ServiceMonitor, NetworkPolicy and PodDisruptionBudget select by. Raises ChartError for anything but the
    service's Deployment.
    """
    if deployment.get("kind") != "Deployment" or deployment.get("apiVersion") != "apps/v1":
        raise _unfit(service, f"{deployment.get('apiVersion')} {deployment.get('kind')}")
    made = copy.deepcopy(dict(deployment))
    try:
        spec, template = made["spec"], made["spec"]["template"]
        labels, selected = template["metadata"]["labels"], spec["selector"]["matchLabels"]
        if made["metadata"]["name"] != service or labels.get(NAME_LABEL) != service:
            raise _unfit(service, f"{made['metadata']['name']}, its pods with {NAME_LABEL}={labels.get(NAME_LABEL)}")
        renamed = _rename_config(template["spec"], {one["metadata"]["name"] for one in config})
        spec["replicas"] = replicas
    except (KeyError, TypeError, AttributeError) as error:
        raise _unfit(service, f"a Deployment without {error}") from None
    labels[LABEL] = selected[LABEL] = VALUE
    made["metadata"] = _metadata(service, made["metadata"], canary_name(service), namespace)
    made.pop("status", None)
    copies = []
    for one in config:
        if one["metadata"]["name"] in renamed:
            twin = copy.deepcopy(dict(one))
            twin["metadata"] = _metadata(service, one["metadata"], canary_name(one["metadata"]["name"]), namespace)
            copies.append(twin)
    return (*copies, made)


def judge(
    compared: Sequence[Compared], *, share: float, max_burn: float, ended: bool, fewest: int = FEWEST_EVENTS
) -> Judgement:
    """Return what the numbers of a step say. `share` is the canary's of the pods, `ended` whether its time is over.

    Worse is a canary that burns its budget faster than `max_burn`, or has more bad events than the stable beyond
    chance: of few events too. The first SLO has to have `fewest` events of the canary's, unless all of the service has
    so few that the canary's share would be less; one SLO has to have them in any case. The others may go without:
    a consumer gets whole partitions and a socket stays where it is, whatever share of the pods is the canary's.
    """
    worse, few = [], list[Compared]()
    bound = (AT_THE_END if ended else WHILE_IT_RUNS) / max(len(compared), 1)  # Bonferroni: each SLO is one more chance
    for one in compared:
        beside = f"{one.objective}: canary {one.canary}, stable {one.stable}"
        if one.canary.total >= fewest and one.canary.bad >= FEWEST_BAD and one.burn > max_burn:
            worse.append(f"{beside}; burns {one.burn:.1f} times what is allowed, over {max_burn:g}")
        elif one.chance < bound:
            worse.append(f"{beside}; by chance in {one.chance:.1g} of cases, under {bound:.1g}")
    unjudged = [one for one in compared if one.canary.total < fewest]
    first = compared[:1]
    if len(unjudged) == len(compared):
        few = unjudged
    elif unjudged[:1] == list(first) and share * (first[0].canary.total + first[0].stable.total) >= fewest:
        few = unjudged[:1]
    told = [f"{one.objective}: the canary had {one.canary.total:.0f} of {fewest} events" for one in few]
    if not compared:
        told = ["no objective counts events by pod"]
    return Judgement(tuple(worse), tuple(told), tuple(one.objective for one in unjudged))


def fisher_exact(canary: Events, stable: Events) -> float:
    """Return the chance of at least so many bad events at the canary, were both alike; 1 where it is not worse.

    Fisher's exact test, one-sided: R. A. Fisher, J. Royal Stat. Soc. 85 (1922); A. Agresti, Categorical Data Analysis,
    section 3.5. It holds for any number of events, where a test of proportions needs many.
    """
    bad, mine, other = round(canary.bad), round(canary.total), round(stable.total)
    all_bad, everything = bad + round(stable.bad), mine + other
    if not mine or not other or bad * everything <= all_bad * mine:
        return 1.0

    def log_choose(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    term = math.exp(log_choose(mine, bad) + log_choose(other, all_bad - bad) - log_choose(everything, all_bad))
    found = term
    for k in range(bad, min(mine, all_bad)):  # what is above the mean falls, each from the one before
        term *= (mine - k) * (all_bad - k) / ((k + 1) * (other - all_bad + k + 1))
        found += term
    return min(found, 1.0)


def table_of(service: str, rows: Sequence[tuple[str, ...]]) -> SuiteTable:
    """Return what a canary measured, for the evidence."""
    columns = ("step", "pods", "objective", "canary", "burn", "stable", "by chance", "found")
    note = "Burn: the canary's share of bad events, in multiples of what is allowed. By chance: Fisher's exact test."
    return SuiteTable(f"canary-{service}", f"Canary of {service}", columns, tuple(rows), note)


def row_of(step: int, pods: str, one: Compared, found: str) -> tuple[str, ...]:
    """Return the table's line of an SLO at a step."""
    told = (str(one.canary), f"{one.burn:.1f}", str(one.stable), f"{one.chance:.2g}")
    return (f"{step} %", pods, one.objective, *told, found)


def _rename_config(pod: Mapping[str, Any], known: set[str]) -> set[str]:
    """Point a pod's references at the copies of the ConfigMaps that are known; returns their old names."""
    renamed = set()
    references = [volume["configMap"] for volume in pod.get("volumes") or [] if "configMap" in volume]
    for container in [*(pod.get("initContainers") or []), *pod["containers"]]:
        references += [one["configMapRef"] for one in container.get("envFrom") or [] if "configMapRef" in one]
        sources = [one.get("valueFrom") or {} for one in container.get("env") or []]
        references += [one["configMapKeyRef"] for one in sources if "configMapKeyRef" in one]
    for reference in references:
        if reference["name"] in known:
            renamed.add(reference["name"])
            reference["name"] = canary_name(reference["name"])
    return renamed


def _metadata(service: str, given: Mapping[str, Any], name: str, namespace: str) -> dict[str, Any]:
    """No release of helm's owns it: helm would take it away, or refuse to go on."""
    labels = {**given.get("labels", {}), NAME_LABEL: service, MANAGED_BY: "sluice", LABEL: VALUE}
    annotations = {k: v for k, v in (given.get("annotations") or {}).items() if not k.startswith("meta.helm.sh/")}
    return {"name": name, "namespace": namespace, "labels": labels} | (
        {"annotations": annotations} if annotations else {}
    )


def _unfit(service: str, seen: str) -> ChartError:
    return ChartError(
        f"no canary can be made of what the chart of {service} renders",
        seen=seen,
        expected=f"the Deployment {service} of apps/v1, its pods labelled {NAME_LABEL}={service}",
        next_command=f"helm template {service} helm/{service}",
    )
