"""The fixtures of mirrored events fit each other, the broker and the services: names, keys, ports, topics, memory."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.mirror.test_mirror_lag import SPACE, Secrets

from sluice.regions.model import BROKER_PORT
from sluice.steps.mirror_lag import KEYS, region_keys
from sluice.supply.catalog import MavenRecipe, load_catalog
from sluice.supply.maven import LOCK, MODULES

pytestmark = pytest.mark.anyio
FIXTURES = Path(__file__).parents[3] / "k8s-fixtures"
MIRROR, REGION = FIXTURES / "mirror", FIXTURES / "kafka-region"
# What a broker has besides events: its own, and what a mirror of before noted there as its target.
NOT_EVENTS = (
    "__consumer_offsets",
    "mm2-offsets.source.internal",
    "mm2-status.source.internal",
    "source.checkpoints.internal",
)

Object = dict[str, Any]


def objects(path: Path) -> list[Object]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def properties(name: str = "mirror.properties") -> dict[str, str]:
    lines = (MIRROR / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {key.strip(): value.strip().replace("\\\\", "\\") for key, value in pairs}


def mirror_pod() -> Object:
    [deployment] = objects(MIRROR / "deployment.yaml")
    return deployment["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def lag_pod() -> Object:
    [cronjob] = objects(MIRROR / "lag.yaml")
    return cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]  # type: ignore[no-any-return]


PODS = pytest.mark.parametrize("pod", [mirror_pod(), lag_pod()], ids=["mirror", "lag"])


def environment(container: Object) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container["env"]}


def mebibytes(text: str) -> int:
    [number, unit] = re.fullmatch(r"(\d+)(M|Mi|m)", text).groups()  # type: ignore[union-attr]
    assert unit != "M", "of Kubernetes Mi, of Java m"
    return int(number)


def kafka() -> Object:
    [server] = objects(FIXTURES / "kafka" / "statefulset.yaml")
    [container] = server["spec"]["template"]["spec"]["containers"]
    return container  # type: ignore[no-any-return]


def listener() -> Object:
    [kustomization] = objects(REGION / "kustomization.yaml")
    [patch] = kustomization["patches"]
    return yaml.safe_load(patch["patch"])["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def matches(patterns: str, name: str) -> bool:
    """As MirrorMaker's filters do: a list of expressions, one of which fits all of the name."""
    return any(re.fullmatch(pattern.strip(), name) for pattern in patterns.split(","))


def mirrored(topic: str) -> bool:
    found = properties()
    return matches(found["topics"], topic) and not matches(found["topics.exclude"], topic)


def test_one_direction_is_mirrored_under_the_same_names_and_the_source_is_left_as_it_is() -> None:
    found = properties()
    assert found["clusters"] == "source, target"
    assert [key for key in found if key.endswith(".enabled") and "->" in key] == ["source->target.enabled"]
    assert found["replication.policy.class"].endswith(".IdentityReplicationPolicy")
    assert found["emit.heartbeats.enabled"] == "false", "they would be written the other way"
    assert found["offset-syncs.topic.location"] == "target"
    assert "--clusters target" in " ".join(mirror_pod()["containers"][0]["args"])


def test_how_far_consumers_are_goes_along() -> None:
    found = properties()
    assert found["sync.group.offsets.enabled"] == "true"
    assert int(found["sync.group.offsets.interval.seconds"]) <= 5
    assert int(found["emit.checkpoints.interval.seconds"]) <= 5
    services = (path.parent.name for path in (FIXTURES.parent / "services").glob("*/service.toml"))
    for group in services:  # a consumer group is named after its app
        assert matches(found["groups"], group)
        assert not matches(found["groups.exclude"], group)


def test_every_topic_of_the_services_is_mirrored_and_nothing_that_is_no_event() -> None:
    written = (FIXTURES.parent / "services/servicekit/src/servicekit/events.py").read_text(encoding="utf-8")
    topics = set(re.findall(r'= EventType\("[\w.-]+", \d+, "([\w.-]+)"', written))
    assert len(topics) >= 4
    assert all(mirrored(topic) for topic in topics)
    assert not any(mirrored(topic) for topic in NOT_EVENTS)


def test_what_is_counted_is_what_is_mirrored() -> None:
    [line] = [line for line in (MIRROR / "lag.sh").read_text().splitlines() if line.startswith("list()")]
    left_out = re.findall(r"/(\S+)/d;", line)
    for topic in NOT_EVENTS:
        assert any(re.search(pattern, f"{topic}:0:7") for pattern in left_out), topic
    assert not any(re.search(pattern, "dead-letters:0:7") for pattern in left_out)


def test_lag_is_read_where_it_is_noted() -> None:
    """As Connect names it, of which there is one, by the source's name in mirror.properties."""
    text = (MIRROR / "lag.sh").read_text()
    source = properties()["clusters"].split(",")[0]
    assert f"notes=mm2-offsets.{source}.internal" in text
    assert properties()["offset.storage.partitions"] == "1"
    assert "--partition 0" in text


def test_both_reach_the_source_in_the_same_way() -> None:
    of_mirror = {key.removeprefix("source."): value for key, value in properties().items() if key.startswith("source.")}
    ways = [{key: value for key, value in found.items() if key.split(".")[0] in ("ssl", "security")}
            for found in (of_mirror, properties("source.properties"))]  # fmt: skip
    assert ways[0] == ways[1]
    assert len(ways[0]) == 5


def test_nothing_has_more_copies_than_there_are_brokers() -> None:
    factors = {key: value for key, value in properties().items() if key.endswith("replication.factor")}
    assert set(factors.values()) == {"1"}
    assert {key.partition(".replication")[0] for key in factors} == {
        "replication.factor", "offset-syncs.topic", "checkpoints.topic", "heartbeats.topic", "config.storage",
        "offset.storage", "status.storage",
    }  # fmt: skip


@PODS
async def test_the_keys_are_those_that_are_made(pod: Object) -> None:
    made = Secrets()
    await region_keys(made, None, "sluice", SPACE, "east")
    [volume] = [one["secret"] for one in pod["volumes"] if "secret" in one]
    assert volume["secretName"] == KEYS
    assert {item["key"] for item in volume["items"]} | {"source"} == set(made.kept[KEYS])
    [source] = [one for one in pod["containers"][0]["env"] if one["name"] == "SOURCE_BROKER"]
    assert source["valueFrom"]["secretKeyRef"] == {"name": KEYS, "key": "source"}
    [mount] = [one["mountPath"] for one in pod["containers"][0]["volumeMounts"] if one["name"] == "region"]
    paths = {f"{mount}/{item['path']}" for item in volume["items"]}
    assert {value for key, value in properties().items() if key.endswith(".location") and "ssl" in key} == paths


@PODS
def test_it_speaks_to_its_own_regions_broker(pod: Object) -> None:
    [service] = objects(FIXTURES / "kafka" / "service.yaml")
    [port] = [one["port"] for one in service["spec"]["ports"] if one["name"] == "kafka"]
    assert environment(pod["containers"][0])["TARGET_BROKER"] == f"{service['metadata']['name']}:{port}"


@PODS
def test_it_is_locked_and_bounded(pod: Object) -> None:
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]) == {"requests", "limits"}
    mounted = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize(
    ("pod", "processes", "besides"), [(mirror_pod(), 1, 250), (lag_pod(), 3, 110)], ids=["mirror", "lag"]
)
def test_its_heaps_fit_into_its_memory(pod: Object, processes: int, besides: int) -> None:
    """Besides its heap a JVM takes memory for classes, code, threads and buffers: as measured, in MiB."""
    [container] = pod["containers"]
    [heap] = re.findall(r"-Xmx(\w+)", environment(container)["KAFKA_HEAP_OPTS"])
    assert processes * (mebibytes(heap) + besides) <= mebibytes(container["resources"]["limits"]["memory"])


def test_its_files_are_those_that_it_names() -> None:
    kustomization = yaml.safe_load((MIRROR / "kustomization.yaml").read_text())
    [generated] = kustomization["configMapGenerator"]
    assert {path.name for path in MIRROR.iterdir()} == {
        *generated["files"], *kustomization["resources"], "kustomization.yaml"
    }  # fmt: skip
    for pod in (mirror_pod(), lag_pod()):
        named = {one["configMap"]["name"] for one in pod["volumes"] if "configMap" in one}
        assert named == {generated["name"]}
        told = str(pod["containers"][0])
        assert set(re.findall(r"/etc/mirror/([\w.]+)", told)) <= set(generated["files"])


def test_it_is_never_there_twice_and_lag_is_asked_by_hand_only() -> None:
    [deployment] = objects(MIRROR / "deployment.yaml")
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    [cronjob] = objects(MIRROR / "lag.yaml")
    assert cronjob["spec"]["suspend"] is True
    assert cronjob["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0


def test_a_region_adds_a_listener_and_changes_none() -> None:
    of_all, of_region = environment(kafka()), environment(listener()["containers"][0])
    for name in ("KAFKA_LISTENERS", "KAFKA_ADVERTISED_LISTENERS", "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"):
        added = set(of_region[name].split(",")) - set(of_all[name].split(","))
        assert set(of_all[name].split(",")) <= set(of_region[name].split(","))
        assert {one.split(":")[0] for one in added} == {"EXTERNAL"}
    assert of_region.keys() & of_all.keys() == {
        "KAFKA_LISTENERS", "KAFKA_ADVERTISED_LISTENERS", "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"
    }  # fmt: skip
    assert "EXTERNAL:SSL" in of_region["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]
    assert of_region["KAFKA_SSL_CLIENT_AUTH"] == "required"


def test_the_listener_is_reached_where_the_broker_says_it_is() -> None:
    [container] = listener()["containers"]
    [service] = objects(REGION / "external.yaml")
    [port] = service["spec"]["ports"]
    [own] = container["ports"]
    told = environment(container)
    assert (port["nodePort"], port["targetPort"]) == (BROKER_PORT, own["name"])
    assert f"EXTERNAL://:{own['containerPort']}" in told["KAFKA_LISTENERS"]
    assert f"EXTERNAL://$(NODE_NAME):{BROKER_PORT}" in told["KAFKA_ADVERTISED_LISTENERS"]
    names = [one["name"] for one in container["env"]]
    assert names.index("NODE_NAME") < names.index("KAFKA_ADVERTISED_LISTENERS"), "else it is not filled in"
    [broker] = objects(FIXTURES / "kafka" / "service.yaml")
    assert service["spec"]["selector"] == broker["spec"]["selector"]


async def test_the_broker_has_the_keys_that_are_made() -> None:
    made = Secrets()
    await region_keys(made, None, "sluice", SPACE, "east")
    [volume] = listener()["volumes"]
    assert volume["secret"]["secretName"] == KEYS
    assert {item["key"] for item in volume["secret"]["items"]} < set(made.kept[KEYS])
    [mount] = listener()["containers"][0]["volumeMounts"]
    told = environment(listener()["containers"][0])
    stores = {told[f"KAFKA_SSL_{store}_LOCATION"] for store in ("KEYSTORE", "TRUSTSTORE")}
    assert stores == {f"{mount['mountPath']}/{item['path']}" for item in volume["secret"]["items"]}


def test_a_run_of_the_suites_has_nothing_of_it() -> None:
    component, broker = load_catalog()["kafka-mirror"], load_catalog()["kafka"]
    assert component.optional, "else every run would build it"
    assert (component.version, component.upstream_image()) == (broker.version, broker.upstream_image())
    assert isinstance(component.source, MavenRecipe)
    ordinary = "".join(path.read_text() for path in (FIXTURES / "kafka").iterdir())
    assert "EXTERNAL" not in ordinary
    assert KEYS not in ordinary


@pytest.mark.parametrize("module", ["kafka", "kafka-mirror"])
def test_what_reads_its_logging_in_yaml_has_a_parser_of_it(module: str) -> None:
    """Without one log4j prints a stack trace on stdout, where the offsets are read from."""
    jars = {line.partition(":")[2].partition(":")[0] for line in (MODULES / module / LOCK).read_text().splitlines()}
    assert {"log4j-core", "jackson-dataformat-yaml"} <= jars
