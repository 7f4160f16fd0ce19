"""What every service's chart renders to, in each profile: scaling, disruption, the sidecar, secrets, the test hook."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from .policy import broken, workloads
from .rendering import CLOUDS, PROFILES, SERVICE_CHARTS, Helm, Manifest, of_kind, title

OFF = ("--set", "dapr.enabled=false,database.enabled=false,userTokens.enabled=false,serviceMonitor.enabled=false")


def one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    return next(each for each in of_kind(manifests, kind) if each["metadata"]["name"] == name)


def pod(manifests: list[Manifest], chart: str) -> dict[str, Any]:
    spec: dict[str, Any] = one(manifests, "Deployment", chart)["spec"]["template"]["spec"]
    return spec


def named(containers: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(each for each in containers if each["name"] == name)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_a_service_has_all_its_objects(helm: Helm, chart: str, profile: str) -> None:
    found = sorted(title(manifest) for manifest in helm.manifests(chart, profile))
    own = "ConfigMap Deployment HorizontalPodAutoscaler NetworkPolicy PodDisruptionBudget Service ServiceAccount"
    expected = [f"{kind}/{chart}" for kind in f"{own} ServiceMonitor".split()]
    expected += [f"NetworkPolicy/{chart}-test", f"Pod/{chart}-test"]
    expected += [f"ConfigMap/{chart}-dapr"] if profile == "local" else []
    assert found == sorted(expected)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_the_autoscaler_scales_what_is_there(helm: Helm, chart: str, profile: str) -> None:
    manifests = helm.manifests(chart, profile)
    scaler = one(manifests, "HorizontalPodAutoscaler", chart)["spec"]
    target = scaler["scaleTargetRef"]
    deployment = one(manifests, target["kind"], target["name"])
    assert deployment["apiVersion"] == target["apiVersion"]
    assert "replicas" not in deployment["spec"], "each upgrade would undo what the autoscaler did"
    cpu = scaler["metrics"][0]["containerResource"]
    container = named(deployment["spec"]["template"]["spec"]["containers"], cpu["container"])
    assert container["resources"]["requests"][cpu["name"]], "a share of no request is no number"
    assert scaler["minReplicas"] < scaler["maxReplicas"]
    assert scaler["minReplicas"] >= 2 or profile == "local"
    assert scaler["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 0


def test_what_has_to_be_safe_with_two_replicas_has_two_locally(helm: Helm) -> None:
    found = {
        chart: tuple(one(helm.manifests(chart, "local"), "HorizontalPodAutoscaler", chart)["spec"][key] for key in keys)
        for keys in [("minReplicas", "maxReplicas")]
        for chart in SERVICE_CHARTS
    }
    expected = {"backend": (1, 3), "audit": (1, 2), "notification": (1, 2), "sync": (2, 4), "recurring-task": (2, 3)}
    assert found.items() >= expected.items()


def test_without_an_autoscaler_the_deployment_says_how_many(helm: Helm) -> None:
    manifests = helm.manifests("sync", "oke", "--set", "autoscaling.enabled=false")
    assert of_kind(manifests, "HorizontalPodAutoscaler") == []
    assert one(manifests, "Deployment", "sync")["spec"]["replicas"] == 2


@pytest.mark.parametrize("profile", PROFILES)
def test_what_an_autoscaler_goes_by_is_served(helm: Helm, profile: str) -> None:
    """An autoscaler that cannot read one of its metrics scales up and never down."""
    config = one(helm.manifests("monitoring", profile), "ConfigMap", "prometheus-adapter")["data"]["config.yaml"]
    served = {rule["seriesQuery"].partition("{")[0] for rule in yaml.safe_load(config)["rules"]}
    wanted = {
        chart: {metric["pods"]["metric"]["name"] for metric in scaler["spec"]["metrics"] if metric["type"] == "Pods"}
        for chart in SERVICE_CHARTS
        for scaler in of_kind(helm.manifests(chart, profile), "HorizontalPodAutoscaler")
    }
    assert wanted["sync"] == {"websocket_connections_active"}
    assert set().union(*wanted.values()) <= served


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_a_drain_takes_one_pod_after_the_other(helm: Helm, chart: str, profile: str) -> None:
    manifests = helm.manifests(chart, profile)
    budget = one(manifests, "PodDisruptionBudget", chart)["spec"]
    deployment = one(manifests, "Deployment", chart)["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]
    spread = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert {each["topologyKey"] for each in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert all(each["labelSelector"] == deployment["selector"] for each in spread)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_an_old_pod_stays_until_everybody_knows_of_the_new_one(helm: Helm, chart: str, profile: str) -> None:
    deployment = one(helm.manifests(chart, profile), "Deployment", chart)["spec"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert 5 <= deployment["minReadySeconds"] < deployment["progressDeadlineSeconds"]


@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_the_sidecar_is_up_between_the_migration_and_the_service(helm: Helm, chart: str) -> None:
    spec = pod(helm.manifests(chart, "local"), chart)
    assert [each["name"] for each in spec["initContainers"]] == ["migrate", "daprd"]
    daprd = named(spec["initContainers"], "daprd")
    assert daprd["restartPolicy"] == "Always"
    words = daprd["args"]
    assert daprd["command"] == ["/daprd"], "upstream's image has no entrypoint, ours has"
    assert all(word.startswith("--") for word in words)
    assert {f"--app-id={chart}", "--app-port=8000", "--mode=standalone", "--resources-path=/components"} <= set(words)
    ports = {port["name"]: port["containerPort"] for port in daprd["ports"]}
    assert ports == {"dapr-health": 3501, "dapr-metrics": 9090}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        # /v1.0/healthz answers when the service listens, which it does after the sidecar: neither would ever start.
        assert daprd[probe]["httpGet"] == {"path": "/v1.0/healthz/outbound", "port": "dapr-health"}


def test_what_publishes_can_be_reached_from_the_pod_alone(helm: Helm) -> None:
    words = named(pod(helm.manifests("backend", "local"), "backend")["initContainers"], "daprd")["args"]
    assert "--dapr-listen-addresses=127.0.0.1" in words
    assert "--dapr-internal-grpc-listen-address=127.0.0.1" in words


def test_the_sidecar_asks_the_network_for_no_names(helm: Helm) -> None:
    manifests = helm.manifests("backend", "local")
    daprd = named(pod(manifests, "backend")["initContainers"], "daprd")
    mounts = {mount["name"]: mount["mountPath"] for mount in daprd["volumeMounts"]}
    maps = [each for each in pod(manifests, "backend")["volumes"] if "configMap" in each]
    volumes = {each["name"]: each["configMap"]["name"] for each in maps}
    assert (volumes["dapr-components"], mounts["dapr-components"]) == ("dapr-components", "/components")
    (file,) = [word.partition("=")[2] for word in daprd["args"] if word.startswith("--config=")]
    folder, _, name = file.rpartition("/")
    assert mounts["dapr-configuration"] == folder
    data = one(manifests, "ConfigMap", volumes["dapr-configuration"])["data"]
    configuration = yaml.safe_load(data[name])
    assert (configuration["apiVersion"], configuration["kind"]) == ("dapr.io/v1alpha1", "Configuration")
    assert configuration["spec"]["nameResolution"]["component"] == "kubernetes"
    assert configuration["spec"]["metrics"]["http"]["increasedCardinality"] is False


@pytest.mark.parametrize("profile", CLOUDS)
@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_where_a_control_plane_is_it_gets_annotations_and_no_container(helm: Helm, chart: str, profile: str) -> None:
    manifests = helm.manifests(chart, profile, "--set", "dapr.image=null")
    template = one(manifests, "Deployment", chart)["spec"]["template"]
    assert [each["name"] for each in template["spec"]["initContainers"]] == ["migrate"]
    annotations = template["metadata"]["annotations"]
    expected = {
        "dapr.io/enabled": "true",
        "dapr.io/app-id": chart,
        "dapr.io/app-port": "8000",
        "dapr.io/app-protocol": "http",
        "dapr.io/app-token-secret": "dapr-app-token",
        "dapr.io/enable-metrics": "true",
        "dapr.io/metrics-port": "9090",
        "dapr.io/log-as-json": "true",
        "dapr.io/sidecar-listen-addresses": "127.0.0.1",
        "dapr.io/disable-builtin-k8s-secret-store": "true",
        "dapr.io/sidecar-memory-limit": "128Mi",
    }
    assert annotations.items() >= expected.items()
    assert "dapr.io/config" not in annotations


def test_both_modes_can_be_had_everywhere(helm: Helm) -> None:
    arguments = ("--set", "dapr.mode=annotations,dapr.configuration=system")
    template = one(helm.manifests("audit", "local", *arguments), "Deployment", "audit")["spec"]["template"]
    assert template["metadata"]["annotations"]["dapr.io/config"] == "system"
    manifests = helm.manifests("audit", "gke", "--set", "dapr.mode=sidecar")
    assert named(pod(manifests, "audit")["initContainers"], "daprd")
    assert not [key for key in one(manifests, "Deployment", "audit")["spec"]["template"]["metadata"]["annotations"]
                if key.startswith("dapr.io/")]  # fmt: skip
    assert [found for each in workloads(manifests) for found in broken(each)] == []


def test_a_mode_that_there_is_not_is_refused(helm: Helm) -> None:
    result = helm.try_template("backend", "local", "--set", "dapr.mode=injected")
    assert result.returncode != 0
    assert "'sidecar', 'annotations'" in result.stderr


def secret_files(spec: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Path in the container → Secret and key."""
    folders = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    return {
        f"{folders[volume['name']]}/{item['path']}": (volume["secret"]["secretName"], item["key"])
        for volume in spec["volumes"]
        for item in volume.get("secret", {}).get("items", ())
        if volume["name"] in folders
    }


@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_secrets_are_files_and_the_environment_names_them(helm: Helm, chart: str) -> None:
    manifests = helm.manifests(chart, "local")
    spec, environment = pod(manifests, chart), one(manifests, "ConfigMap", chart)["data"]
    expected = {
        "/etc/secrets/database/password": (f"{chart}-database", "password"),
        "/etc/secrets/user-tokens/jwks.json": ("user-tokens", "jwks.json"),
        "/etc/secrets/dapr/token": ("dapr-app-token", "token"),
    }
    for container in (spec["containers"][0], named(spec["initContainers"], "migrate")):
        assert secret_files(spec, container) == expected
        assert "env" not in container
    files = {value for name, value in environment.items() if name.endswith("_FILE")}
    assert files == set(expected)
    identifier = chart.replace("-", "_")
    assert environment.items() >= {
        "SERVICE_NAME": chart, "HTTP_PORT": "8000", "FAULTS_ENABLED": "false",
        "DATABASE_HOST": "postgresql", "DATABASE_PORT": "5432", "DATABASE_SSLMODE": "prefer",
        "DATABASE_NAME": identifier, "DATABASE_USER": identifier,
        "DAPR_HTTP_PORT": "3500", "PUBSUB_NAME": "pubsub",
    }.items()  # fmt: skip
    daprd = named(spec["initContainers"], "daprd")
    assert secret_files(spec, daprd) == {}
    token = next(variable for variable in daprd["env"] if variable["name"] == "APP_API_TOKEN")
    assert token["valueFrom"] == {"secretKeyRef": {"name": "dapr-app-token", "key": "token"}}


@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_the_service_and_its_sidecar_are_scraped_as_two_jobs(helm: Helm, chart: str) -> None:
    """The rules go by `job`: a sidecar that is up must not stand for a service that is not."""
    first, second = one(helm.manifests(chart, "local"), "ServiceMonitor", chart)["spec"]["endpoints"]
    assert (first["port"], first["path"], first.get("relabelings")) == ("http", "/metrics", None)
    assert (second["port"], second["path"]) == ("dapr-metrics", "/metrics")
    assert second["relabelings"] == [{"action": "replace", "targetLabel": "job", "replacement": "dapr"}]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("chart", SERVICE_CHARTS)
def test_helm_test_asks_the_service_by_its_name(helm: Helm, chart: str, profile: str) -> None:
    manifests = helm.manifests(chart, profile)
    check = one(manifests, "Pod", f"{chart}-test")
    assert check["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert check["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    (container,) = check["spec"]["containers"]
    assert container["args"] == ["check", f"http://{chart}:8000/readyz"]
    assert container["image"] == pod(manifests, chart)["containers"][0]["image"]
    assert check["spec"]["restartPolicy"] == "Never"
    selector = one(manifests, "Service", chart)["spec"]["selector"]
    assert not selector.items() <= check["metadata"]["labels"].items(), "the Service would send requests to its test"


def test_a_service_that_needs_nothing_gets_nothing(helm: Helm) -> None:
    manifests = helm.manifests("backend", "local", *OFF)
    spec = pod(manifests, "backend")
    assert "initContainers" not in spec
    assert [volume["name"] for volume in spec["volumes"]] == ["tmp"]
    assert set(one(manifests, "ConfigMap", "backend")["data"]) == {"SERVICE_NAME", "HTTP_PORT", "FAULTS_ENABLED"}
    assert len(one(manifests, "NetworkPolicy", "backend")["spec"]["egress"]) == 1  # DNS
    assert {port["name"] for port in one(manifests, "Service", "backend")["spec"]["ports"]} == {"http"}
