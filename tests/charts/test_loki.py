"""Loki accepts what every profile renders; values that would lose logs, or show them, are refused with the cure."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from .promtail import config_map, manifest
from .rendering import CLOUDS, PROFILES, REPOSITORY, Helm, of_kind, optional_tool, run

# What stands in the place of secrets and of the pod's address while a configuration is looked at.
FILLED_IN = {"POD_IP": "10.0.0.1", "S3_ACCESS_KEY_ID": "key", "S3_SECRET_ACCESS_KEY": "k", "AZURE_ACCOUNT_KEY": "a2V5"}
STORES = {"local": "filesystem", "oke": "s3", "aks": "azure", "gke": "gcs"}


def config(helm: Helm, profile: str = "local", *arguments: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(config_map(helm, "loki", profile, *arguments))
    return loaded


def loki_pod(helm: Helm, profile: str = "local", *arguments: str) -> dict[str, Any]:
    spec: dict[str, Any] = manifest(helm.manifests("logging", profile, *arguments), "StatefulSet", "loki")["spec"]
    return spec


def verified(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the real Loki says against a configuration: nothing."""
    for name, value in FILLED_IN.items():
        monkeypatch.setenv(name, value)
    file = folder / "loki.yaml"
    file.write_text(text, encoding="utf-8")
    result = run(optional_tool("loki"), "-verify-config", "-config.expand-env=true", f"-config.file={file}")
    return "" if result.returncode == 0 else result.stderr


@pytest.mark.parametrize(
    ("profile", "arguments"),
    [
        *((profile, ()) for profile in PROFILES),
        ("aks", ("--set", "loki.objectStorage.azure.clientId=,loki.objectStorage.secret=storage")),
        ("gke", ("--set", "loki.ruler.storage=object", "--set", "loki.auth.enabled=true")),
        ("local", ("--set", "loki.ruler.enabled=false")),
    ],
)
def test_loki_accepts_its_configuration(
    helm: Helm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, arguments: tuple[str, ...]
) -> None:
    assert verified(config_map(helm, "loki", profile, *arguments), tmp_path, monkeypatch) == ""


def test_loki_refuses_a_key_that_it_does_not_know(helm: Helm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = config_map(helm, "loki").replace("retention_period", "retention_perion")
    assert "retention_perion" in verified(text, tmp_path, monkeypatch)


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_older_than_the_retention_is_deleted(helm: Helm, profile: str) -> None:
    """Retention is off unless all of these are set, and Loki does not say so."""
    rendered = config(helm, profile)
    assert rendered["compactor"]["retention_enabled"] is True
    assert rendered["compactor"]["delete_request_store"] == STORES[profile]
    assert rendered["compactor"]["working_directory"].startswith("/var/loki/")
    assert rendered["limits_config"]["retention_period"] == ("72h" if profile == "local" else "720h")


@pytest.mark.parametrize("profile", CLOUDS)
def test_on_a_cloud_three_share_an_object_storage(helm: Helm, profile: str) -> None:
    rendered, spec = config(helm, profile), loki_pod(helm, profile)
    assert spec["replicas"] == rendered["common"]["replication_factor"] == 3
    assert rendered["common"]["ring"]["kvstore"]["store"] == "memberlist"
    assert rendered["schema_config"]["configs"][0]["object_store"] == STORES[profile]
    assert set(rendered["common"]["storage"]) == {STORES[profile]}
    assert rendered["ingester"]["wal"] == {
        "enabled": True, "dir": "/var/loki/wal", "flush_on_shutdown": True, "replay_memory_ceiling": "2GB"
    }  # fmt: skip
    (claim,) = spec["volumeClaimTemplates"]
    mounts = {mount["name"]: mount["mountPath"] for mount in spec["template"]["spec"]["containers"][0]["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == "/var/loki"


def test_they_find_each_other(helm: Helm) -> None:
    manifests = helm.manifests("logging", "gke")
    assert config(helm, "gke")["memberlist"]["join_members"] == ["loki-memberlist.logging.svc:7946"]
    service = manifest(manifests, "Service", "loki-memberlist")["spec"]
    assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)
    ports = {port["name"]: port["containerPort"] for port in
             loki_pod(helm, "gke")["template"]["spec"]["containers"][0]["ports"]}  # fmt: skip
    assert ports[service["ports"][0]["targetPort"]] == service["ports"][0]["port"] == 7946
    assert manifest(manifests, "PodDisruptionBudget", "loki")["spec"]["maxUnavailable"] == 1
    assert of_kind(helm.manifests("logging", "local"), "PodDisruptionBudget") == []


KEYED = ("--set", "loki.objectStorage.azure.clientId=,loki.objectStorage.secret=storage")


@pytest.mark.parametrize(
    ("profile", "arguments", "secrets"),
    [
        ("local", (), {}),
        ("oke", (), {"S3_ACCESS_KEY_ID": "accessKeyId", "S3_SECRET_ACCESS_KEY": "secretAccessKey"}),
        ("aks", (), {}),
        ("aks", KEYED, {"AZURE_ACCOUNT_KEY": "accountKey"}),
        ("gke", (), {}),
    ],
)
def test_keys_come_from_a_secret_alone(
    helm: Helm, profile: str, arguments: tuple[str, ...], secrets: dict[str, str]
) -> None:
    """The configuration names variables, the container takes these from the Secret, and no value can hold a key."""
    (container,) = loki_pod(helm, profile, *arguments)["template"]["spec"]["containers"]
    assert "-config.expand-env=true" in container["args"]
    found = {
        each["name"]: each["valueFrom"]["secretKeyRef"]["key"]
        for each in container.get("env", ())
        if "secretKeyRef" in each.get("valueFrom", {})
    }
    assert found == secrets
    named = set(re.findall(r"\$\{(\w+)\}", config_map(helm, "loki", profile, *arguments)))
    assert named == set(secrets) | ({"POD_IP"} if profile != "local" else set())


def test_a_key_in_the_values_is_refused(helm: Helm) -> None:
    for place in ("s3.secretAccessKey", "azure.accountKey", "accountKey"):
        result = helm.try_template("logging", "oke", "--set", f"loki.objectStorage.{place}=k")
        assert "not allowed" in result.stderr, place
    result = helm.try_template("logging", "oke", "--set", "loki.objectStorage.s3.endpoint=https://key:secret@host")
    assert "does not match pattern" in result.stderr


def test_a_workload_identity_takes_the_place_of_a_key(helm: Helm) -> None:
    aks = helm.manifests("logging", "aks")
    annotations = manifest(aks, "ServiceAccount", "loki")["metadata"]["annotations"]
    assert annotations == {"azure.workload.identity/client-id": "00000000-0000-0000-0000-000000000001"}
    assert loki_pod(helm, "aks")["template"]["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    account = "loki@project.iam.gserviceaccount.com"
    gke = helm.manifests("logging", "gke", "--set", f"loki.objectStorage.gcs.serviceAccount={account}")
    annotations = manifest(gke, "ServiceAccount", "loki")["metadata"]["annotations"]
    assert annotations == {"iam.gke.io/gcp-service-account": account}


def test_with_auth_the_collector_and_the_rules_belong_to_the_tenant(helm: Helm) -> None:
    auth = ("--set", "loki.auth.enabled=true,loki.auth.tenant=us")
    assert config(helm, "local", *auth)["auth_enabled"] is True
    client = yaml.safe_load(config_map(helm, "promtail", "local", *auth))["clients"][0]
    assert client["tenant_id"] == "us"
    for arguments, tenant in ((auth, "us"), ((), "fake")):
        (container,) = loki_pod(helm, "local", *arguments)["template"]["spec"]["containers"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts["rules"] == f"/etc/loki-rules/{tenant}"
    assert config(helm)["ruler"]["storage"] == {"type": "local", "local": {"directory": "/etc/loki-rules"}}


def test_the_ruler_tells_the_alertmanager_that_prometheus_tells(helm: Helm) -> None:
    assert config(helm)["ruler"]["alertmanager_url"] == "http://alertmanager.monitoring:9093"
    services = of_kind(helm.manifests("monitoring", "local"), "Service")
    alertmanager = next(each for each in services if each["metadata"]["name"] == "alertmanager")
    assert alertmanager["metadata"]["namespace"] == "monitoring"
    assert 9093 in [port["port"] for port in alertmanager["spec"]["ports"]]


def test_every_rule_file_is_mounted_and_has_its_bases(helm: Helm) -> None:
    bases = (
        "loki.ruler.runbookBaseUrl=https://git.example.org/main/,loki.ruler.grafanaBaseUrl=https://grafana.example.org"
    )
    rules = manifest(helm.manifests("logging", "local", "--set", bases), "ConfigMap", "loki-rules")["data"]
    assert sorted(rules) == sorted(path.name for path in (REPOSITORY / "helm/logging/rules").glob("*.yaml"))
    for text in rules.values():
        for rule in yaml.safe_load(text)["groups"][0]["rules"]:
            address = f"https://git.example.org/main/helm/monitoring/runbooks/{rule['alert']}.md"
            assert rule["annotations"]["runbook_url"] == address
            assert rule["annotations"]["dashboard_url"].startswith("https://grafana.example.org/d/application-logs?")


BARE = "loki.ingress.enabled=true,loki.ingress.host=h,loki.ingress.tlsSecret=t"
INGRESS = f"{BARE},loki.ingress.annotations.a=b"
AUTH = "loki.auth.enabled=true"


@pytest.mark.parametrize(
    ("profile", "values", "found"),
    [
        ("local", "loki.compactor.enabled=false", "loki.compactor.enabled = false"),
        ("local", "loki.retention=23h", "loki.retention = 23h"),
        ("local", "loki.replicas=3", "loki.replicas = 3, loki.objectStorage.type = filesystem"),
        ("gke", "loki.replicas=2", "loki.replicas = 2"),
        ("local", "loki.storage.size=", 'loki.storage.size = ""'),
        ("gke", "loki.objectStorage.bucket=", 'loki.objectStorage.type = gcs, loki.objectStorage.bucket = ""'),
        ("oke", "loki.objectStorage.s3.endpoint=", 'loki.objectStorage.s3.endpoint = ""'),
        ("oke", "loki.objectStorage.s3.region=", '.region = ""'),
        ("oke", "loki.objectStorage.secret=", 'loki.objectStorage.secret = ""'),
        ("oke", "networkPolicy.egress=null", "loki.objectStorage.type = s3, networkPolicy.egress = {}"),
        ("aks", "loki.objectStorage.azure.account=", 'loki.objectStorage.azure.account = ""'),
        ("aks", "loki.objectStorage.azure.clientId=", 'loki.objectStorage.azure.clientId = ""'),
        ("local", "loki.ruler.storage=", 'loki.ruler.enabled = true, loki.ruler.storage = ""'),
        ("local", "loki.ruler.storage=object", "loki.ruler.storage = object, loki.objectStorage.type = filesystem"),
        ("local", "loki.ruler.alertmanagerUrl=", 'loki.ruler.alertmanagerUrl = ""'),
        ("local", f"{AUTH},loki.auth.tenant=", 'loki.auth.tenant = ""'),
        ("local", INGRESS, "loki.ingress.enabled = true, loki.auth.enabled = false"),
        ("local", f"{AUTH},{INGRESS},loki.ingress.tlsSecret=", 'loki.ingress.tlsSecret = ""'),
        ("local", f"{AUTH},{INGRESS},loki.ingress.host=", 'loki.ingress.host = ""'),
        ("local", f"{AUTH},{BARE}", "loki.ingress.annotations = {}"),
    ],
)
def test_what_would_lose_logs_is_refused_with_the_cure(helm: Helm, profile: str, values: str, found: str) -> None:
    """Once, with what was seen and what to do; without the value the same is accepted."""
    result = helm.try_template("logging", profile, "--set", values)
    assert result.returncode != 0
    assert found in result.stderr
    for word in ("found: ", "expected: ", "next: "):
        assert result.stderr.count(f"  {word}") == 1, result.stderr
    assert helm.try_template("logging", profile).returncode == 0


def test_all_mistakes_are_told_at_once(helm: Helm) -> None:
    wrong = "loki.compactor.enabled=false,loki.retention=1h,loki.storage.size="
    assert helm.try_template("logging", "local", "--set", wrong).stderr.count("  next: ") == 3


def test_the_ingress_leads_to_logs_and_not_to_what_stops_loki(helm: Helm) -> None:
    manifests = helm.manifests("logging", "local", "--set", f"{AUTH},{INGRESS}")
    (rule,) = manifest(manifests, "Ingress", "loki")["spec"]["rules"]
    paths = [path["path"] for path in rule["http"]["paths"]]
    assert "/loki/api/v1/push" in paths
    assert "/loki/api/v1/query_range" in paths
    for closed in ("/loki/api/v1/delete", "/flush", "/ingester/shutdown", "/config"):
        assert not [path for path in paths if closed == path or closed.startswith(f"{path}/")]
