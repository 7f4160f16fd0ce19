"""The fixtures of regions fit region.sh, the ConfigMap that it reads, and what the pipeline reaches them by."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.domain import Service
from sluice.regions.model import BROKER_PORT, CONFIG_MAP, DATABASE_PORT, Marker
from sluice.steps.install_region import in_a_region, shared_secrets
from sluice.steps.mirror_lag import KEYS

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "k8s-fixtures"
SCRIPTS = ROOT / "ci/src/sluice/supply/images/postgresql"
SCRIPT = (SCRIPTS / "region.sh").read_text(encoding="utf-8")
DATA = Marker("east", "primary", 1).data("sluice")

Object = dict[str, Any]


def pod() -> Object:
    """What the overlay puts into PostgreSQL's pod."""
    made = yaml.safe_load((FIXTURES / "postgresql-region" / "kustomization.yaml").read_text())
    patch = yaml.safe_load(made["patches"][0]["patch"])
    assert patch["metadata"]["name"] == "postgresql"
    return patch["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def server() -> Object:
    [found] = pod()["containers"]
    return found  # type: ignore[no-any-return]


def default(variable: str) -> str:
    """The value that region.sh gives a variable."""
    found = re.search(rf'"\$\{{{variable}:=([^}}]*)\}}"', SCRIPT)
    assert found, variable
    return found[1]


def mounts(container: Object) -> dict[str, str]:
    return {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}


def test_the_script_is_in_the_image_and_is_what_runs_first() -> None:
    dockerfile = (SCRIPTS / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^COPY .*\bregion\.sh\b", dockerfile, re.MULTILINE)
    assert re.search(r"^RUN chmod 0755 .*/region\.sh\b", dockerfile, re.MULTILINE)
    [first] = pod()["initContainers"]
    assert first["args"] == ["region.sh"]


def test_the_config_map_has_every_file_that_the_script_reads_and_every_key_that_is_named() -> None:
    asked = set(re.findall(r"\$\(said ([a-z-]+)\)", SCRIPT))
    assert asked == {"name", "role", "epoch", "first", "alone", "peer-host", "peer-port"}
    assert asked <= set(DATA)
    for variable in server()["env"]:
        if "valueFrom" in variable:
            reference = variable["valueFrom"]["configMapKeyRef"]
            assert reference["name"] == CONFIG_MAP
            assert reference["key"] in DATA
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    assert volumes["region"]["configMap"]["name"] == CONFIG_MAP


def test_every_variable_of_an_argument_is_given() -> None:
    given = {variable["name"] for variable in server()["env"]}
    assert set(re.findall(r"\$\(([A-Z_]+)\)", " ".join(server()["args"]))) <= given


def test_the_server_finds_what_the_script_wrote_for_it() -> None:
    """The password's file lies in a volume that both have, and not among the data, which the other side copies."""
    [first] = pod()["initContainers"]
    file = default("PGPASSFILE")
    assert f"passfile={file} " in " ".join(server()["args"])
    assert mounts(first)[str(Path(file).parent)] == "run"
    base = yaml.safe_load((FIXTURES / "postgresql" / "statefulset.yaml").read_text())["spec"]["template"]["spec"]
    assert mounts(base["containers"][0])[str(Path(file).parent)] == "run"
    assert Path(default("REGION")) == Path("/etc/region")
    assert mounts(first)[default("REGION")] == "region"
    assert mounts(first)[str(Path(default("REPLICATION_PASSWORD_FILE")).parent)] == "replication"
    data = {variable["name"]: variable.get("value") for variable in base["containers"][0]["env"]}["PGDATA"]
    assert {variable["name"]: variable["value"] for variable in first["env"]} == {"PGDATA": data}


def test_nothing_that_the_fixture_says_elsewhere_is_lost() -> None:
    """The overlay's arguments replace those of the fixture."""
    base = yaml.safe_load((FIXTURES / "postgresql" / "statefulset.yaml").read_text())["spec"]["template"]["spec"]
    assert [word for word in base["containers"][0]["args"] if word not in server()["args"]] == []


def test_the_script_is_locked_as_the_server_is() -> None:
    [first] = pod()["initContainers"]
    assert first["securityContext"]["readOnlyRootFilesystem"]
    assert first["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert set(first["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize(
    ("folder", "port", "name"),
    [("postgresql-region", DATABASE_PORT, "postgresql"), ("kafka-region", BROKER_PORT, "kafka")],
)
def test_a_region_is_reached_by_the_port_that_the_other_one_is_told(folder: str, port: int, name: str) -> None:
    made = yaml.safe_load((FIXTURES / folder / "kustomization.yaml").read_text())
    files = [FIXTURES / folder / one for one in made["resources"] if one.endswith(".yaml")]
    services = [one for file in files for one in yaml.safe_load_all(file.read_text()) if one["kind"] == "Service"]
    [found] = [one for one in services if one["spec"].get("type") == "NodePort"]
    assert found["spec"]["ports"][0]["nodePort"] == port
    assert found["spec"]["selector"] == {"app.kubernetes.io/name": name}


def test_who_follows_may_read_what_a_rewind_reads_and_write_nothing() -> None:
    """The functions that pg_rewind's page of PostgreSQL 15 names for a role that is no superuser."""
    text = (FIXTURES / "postgresql-region" / "replication.sql").read_text(encoding="utf-8")
    assert set(re.findall(r"FUNCTION pg_catalog\.(\w+\([^)]*\))", text)) == {
        "pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)", "pg_read_binary_file(text)",
        "pg_read_binary_file(text, bigint, bigint, boolean)",
    }  # fmt: skip
    assert "NOSUPERUSER" in text
    hba = (FIXTURES / "postgresql-region" / "pg_hba.conf").read_text(encoding="utf-8")
    rules = [line.split() for line in hba.splitlines() if line and not line.startswith("#")]
    assert [rule for rule in rules if rule[1] == "replication" and rule[0] != "local"] == [
        ["hostssl", "replication", "replication", "all", "scram-sha-256"]
    ]
    assert [rule for rule in rules if rule[0] != "local" and rule[-1] != "scram-sha-256"] == []


def test_a_fixture_has_the_shape_of_a_region_where_there_is_one() -> None:
    assert in_a_region(ROOT, "postgresql").images == ("postgresql",)
    assert in_a_region(ROOT, "kafka").name == "kafka-region"
    assert in_a_region(ROOT, "dapr").name == "dapr"
    assert in_a_region(ROOT, "mirror").name == "mirror"


def test_what_both_regions_have_is_what_the_charts_and_fixtures_ask_for() -> None:
    services = [Service(name, "", "", 1, "", "m", ("postgresql",)) for name in ("backend", "audit")]
    names = shared_secrets([*services, Service("plain", "", "", 1, "", "m")])
    assert {"backend-database", "audit-database", "user-tokens", "dapr-app-token"} <= set(names)
    assert "plain-database" not in names
    volumes = [volume for volume in pod()["volumes"] if "secret" in volume]
    assert {volume["secret"]["secretName"] for volume in volumes} <= {*names, KEYS}


def test_the_certificate_is_where_server_script_and_who_follows_look_for_it() -> None:
    [first] = pod()["initContainers"]
    [volume] = [one for one in pod()["volumes"] if one.get("secret", {}).get("secretName") == KEYS]
    assert {item["key"] for item in volume["secret"]["items"]} == {"keystore.pem", "ca.crt"}
    assert volume["secret"]["defaultMode"] == 0o440, "the server refuses a key that others may read"
    folder = str(Path(default("REGION_CA")).parent)
    said = " ".join(server()["args"])
    assert f"sslmode=verify-full sslrootcert={default('REGION_CA')}" in said
    assert f"ssl_cert_file={folder}/keystore.pem" in said
    assert f"ssl_key_file={folder}/keystore.pem" in said
    assert mounts(first)[folder] == mounts(server())[folder] == volume["name"]
