"""What a canary is made of from each service's chart: what has to select its pods does, what must not does not."""

from typing import Any

import pytest

from sluice.promotion.canary import canary_objects

from .rendering import PROFILES, SERVICE_CHARTS, Helm, Manifest, of_kind
from .schemas import Schemas


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def own(manifests: list[Manifest], kind: str, chart: str) -> Manifest:
    return next(one for one in of_kind(manifests, kind) if one["metadata"]["name"] == chart)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_its_pods_are_the_services_and_not_the_stable_deployments(
    helm: Helm, schemas: Schemas, chart: str, profile: str
) -> None:
    manifests = helm.manifests(chart, profile)
    stable = own(manifests, "Deployment", chart)
    made = canary_objects(chart, stable, of_kind(manifests, "ConfigMap"), namespace="default", replicas=1)
    assert [wrong for one in made for wrong in schemas.mistakes(one)] == []
    pods: dict[str, str] = made[-1]["spec"]["template"]["metadata"]["labels"]
    assert selects(own(manifests, "Service", chart)["spec"]["selector"], pods)
    for kind, key in (("NetworkPolicy", "podSelector"), ("PodDisruptionBudget", "selector")):
        assert selects(own(manifests, kind, chart)["spec"][key]["matchLabels"], pods)
    others: dict[str, Any] = stable["spec"]["template"]["metadata"]["labels"]
    assert not selects(made[-1]["spec"]["selector"]["matchLabels"], others), "it would fight for the stable pods"
    # The autoscaler takes the metrics of this container, and its request, from all pods that it sees.
    scaler = own(manifests, "HorizontalPodAutoscaler", chart)["spec"]["metrics"][0]["containerResource"]
    (container,) = [
        one for one in made[-1]["spec"]["template"]["spec"]["containers"] if one["name"] == scaler["container"]
    ]
    assert container["resources"]["requests"][scaler["name"]]
    assert {one["metadata"]["name"] for one in made[:-1]} == {
        f"{one['metadata']['name']}-canary" for one in of_kind(manifests, "ConfigMap")
    }, "the pods of the new release read its configuration, and not the old one's"
