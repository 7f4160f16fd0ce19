"""The fixtures of back-ups fit each other, and what they keep: names, accounts, volumes and Secrets."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.recovery.keys import Keys, Store, files_secret, postgresql_secret
from sluice.settings import NamespaceSettings
from sluice.steps.keep_backups import IMAGES, Kept, everything

FIXTURES = Path(__file__).parents[3] / "k8s-fixtures"
STORES = everything(NamespaceSettings())
# What StatefulSets of charts and of operators call the claims of their first pod, and whose their files are.
OF_CHARTS = {"loki": ("data-loki-0", 10001), "prometheus": ("prometheus-k8s-db-prometheus-k8s-0", 65534)}
SECRETS = {
    "postgresql-repository": postgresql_secret(Keys("", "", "", ""), Store("", 1, "")),
    "file-repository": files_secret(Keys("", "", "", ""), Store("", 1, "")),
    "postgresql": {"password": ""},
}

Object = dict[str, Any]


def objects(path: Path) -> list[Object]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def of(kind: str, found: list[Object]) -> list[Object]:
    return [one for one in found if one["kind"] == kind]


def cronjob(one: Kept) -> Object:
    folder = (FIXTURES / one.restore).parent
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert kustomization["namespace"] == one.namespace
    every = [each for name in kustomization["resources"] for each in of("CronJob", objects(folder / name))]
    [found] = [each for each in every if each["metadata"]["name"] == one.cronjob]
    return found["spec"]["jobTemplate"]["spec"]["template"]  # type: ignore[no-any-return]


def job(one: Kept) -> Object:
    [found] = of("Job", objects(FIXTURES / one.restore))
    assert found["metadata"]["name"] == f"restore-{one.name}-${{revision}}", "a Job that ended is never changed"
    assert found["spec"]["backoffLimit"] == 0
    return found["spec"]["template"]  # type: ignore[no-any-return]


def claim(one: Kept) -> tuple[str, int, str]:
    """The claim, the account and the size that a store's own StatefulSet has."""
    if one.name in OF_CHARTS:
        return *OF_CHARTS[one.name], ""
    [server] = of("StatefulSet", objects(FIXTURES / one.name / "statefulset.yaml"))
    [template] = server["spec"]["volumeClaimTemplates"]
    user = server["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
    size = template["spec"]["resources"]["requests"]["storage"]
    return f"{template['metadata']['name']}-{server['metadata']['name']}-0", user, size


@pytest.mark.parametrize("one", STORES, ids=lambda one: one.name)
def test_what_is_backed_up_is_restored_under_the_same_name_by_the_same_account(one: Kept) -> None:
    kept, restored = cronjob(one)["spec"], job(one)["spec"]
    assert kept["securityContext"]["runAsUser"] == restored["securityContext"]["runAsUser"]
    told = [(pod["containers"][0].get("args") or [])[-2:] for pod in (kept, restored)]
    if one.name not in ("postgresql", "ledger"):
        assert told[0][0] == told[1][0] == one.name
    assert (kept["containers"][0]["image"], restored["containers"][0]["image"]) in [(name, name) for name in IMAGES]


@pytest.mark.parametrize("one", [one for one in STORES if one.name != "ledger"], ids=lambda one: one.name)
def test_it_is_restored_into_the_volume_that_its_server_will_look_for(one: Kept) -> None:
    name, user, size = claim(one)
    [made] = of("PersistentVolumeClaim", objects(FIXTURES / one.restore))
    assert made["metadata"]["name"] == name
    assert size in ("", made["spec"]["resources"]["requests"]["storage"])
    for pod in (cronjob(one)["spec"], job(one)["spec"]):
        assert pod["securityContext"]["runAsUser"] == user
        claims = [volume["persistentVolumeClaim"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
        assert claims == [{"claimName": name}]


@pytest.mark.parametrize("one", STORES, ids=lambda one: one.name)
def test_every_secret_it_names_is_made_with_that_key(one: Kept) -> None:
    for pod in (cronjob(one)["spec"], job(one)["spec"]):
        for volume in pod["volumes"]:
            for item in volume.get("secret", {}).get("items", ()):
                assert item["key"] in SECRETS[volume["secret"]["secretName"]]
            assert volume.get("secret", {}).get("secretName", "postgresql") in SECRETS
        for variable in pod["containers"][0]["env"]:
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            assert not reference or reference["key"] in SECRETS[reference["name"]]


@pytest.mark.parametrize("one", STORES, ids=lambda one: one.name)
def test_it_is_locked_and_bounded(one: Kept) -> None:
    for pod in (cronjob(one)["spec"], job(one)["spec"]):
        assert pod["securityContext"]["runAsNonRoot"]
        [container] = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]) == {"requests", "limits"}
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_a_back_up_cannot_write_to_what_it_keeps() -> None:
    for one in STORES:
        [container] = cronjob(one)["spec"]["containers"]
        data = [mount for mount in container["volumeMounts"] if mount["name"] == "data"]
        # A snapshot is removed again, by whoever had it made.
        assert all(mount.get("readOnly") for mount in data) or one.name == "prometheus"


def test_the_server_archives_only_where_it_was_given_a_repository() -> None:
    [server] = of("StatefulSet", objects(FIXTURES / "postgresql" / "statefulset.yaml"))
    volumes = {volume["name"]: volume for volume in server["spec"]["template"]["spec"]["volumes"]}
    assert volumes["repository"]["secret"]["optional"] is True
