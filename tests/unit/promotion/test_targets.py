"""targets/*.toml: every mistake of every file at once, each with its line."""

from pathlib import Path
from typing import get_args

import pytest

from sluice.errors import TargetError
from sluice.promotion.model import Cloud
from sluice.promotion.signing import GITHUB, Identity, PublicKey
from sluice.promotion.targets import in_order, load_targets, target_of

LEAST = """
schema = "sluice.target/v1"
cloud = "gke"
[registry]
repository = "europe-docker.pkg.dev/acme/sluice"
[cluster]
context = "gke_acme"
"""
FULL = """
schema = "sluice.target/v1"
cloud = "aks"
description = "Production"
public_key = "release/other.pub"
accept = "warn"
approvals = 2
after = ["staging"]
soak_seconds = 3600
timezone = "Europe/Berlin"
strategy = "canary"
smoke = ["api", "events"]
[registry]
repository = "acme.azurecr.io:443/sluice"
credentials = "/run/secrets/docker.json"
pull_secrets = ["registry"]
[cluster]
context = "aks-acme"
kubeconfig = "/run/secrets/kubeconfig"
services = "tasks"
[canary]
steps = [10, 50]
seconds = 120
[[window]]
days = ["mon", "tue"]
from = "09:00"
until = "16:00"
[[freeze]]
from = 2026-12-20
until = 2027-01-02
why = "holidays"
[storage]
bucket = "logs"
account = "acmelogs"
client_id = "00000000-0000-0000-0000-000000000001"
[values]
monitoring = ["targets/aks-monitoring.yaml"]
services = ["targets/all.yaml"]
backend = ["targets/backend.yaml"]
"""
ROOT = Path(__file__).parents[3]
CLOUDS = get_args(Cloud)


def tree(root: Path, **files: str) -> Path:
    for folder in ("targets", "tests/e2e/api", "tests/e2e/events", "helm/monitoring", "helm/backend"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for file in ("targets/aks-monitoring.yaml", "targets/all.yaml", "targets/backend.yaml"):
        (root / file).touch()
    for chart in ("monitoring", "backend"):
        (root / "helm" / chart / "Chart.yaml").touch()
    for name, text in files.items():
        (root / "targets" / f"{name}.toml").write_text(text)
    return root


def mistakes(root: Path) -> tuple[str, ...]:
    with pytest.raises(TargetError) as caught:
        load_targets(root)
    return caught.value.mistakes


def test_a_target_is_named_after_its_file_and_needs_little(tmp_path: Path) -> None:
    found = load_targets(tree(tmp_path, production=LEAST))
    [target] = found.values()
    assert (target.name, target.cloud, target.cluster.services) == ("production", "gke", "default")
    assert (target.accept, target.strategy, target.windows, target.values_of("backend")) == ("pass", "rolling", (), ())


def test_everything_can_be_said(tmp_path: Path) -> None:
    found = load_targets(tree(tmp_path, staging=LEAST, production=FULL))["production"]
    assert found.timezone.key == "Europe/Berlin"
    assert (found.windows[0].days, found.windows[0].start.hour) == (("mon", "tue"), 9)
    assert found.freezes[0].why == "holidays"
    assert found.canary.steps == (10, 50)
    assert found.values_of("monitoring") == ("targets/aks-monitoring.yaml",)
    assert found.values_of("backend") == ("targets/all.yaml", "targets/backend.yaml")
    assert found.values_of("logging") == ()
    assert [found.cluster.namespace_of(chart) for chart in ("backend", "logging")] == ["tasks", "logging"]


def test_no_folder_has_no_targets(tmp_path: Path) -> None:
    assert load_targets(tmp_path) == {}


def test_the_mistakes_of_all_files_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    bad = (
        FULL.replace('cloud = "aks"', 'cloud = "eks"').replace('"16:00"', '"08:00"').replace("2027-01-02", "2026-01-02")
    )
    bad = bad.replace("Europe/Berlin", "Europe/Berlyn").replace("approvals = 2", 'approvals = "two"')
    worse = LEAST.replace("context", "contxt") + 'steps = "all"\n'
    told = mistakes(tree(tmp_path, one=bad, two=worse, three="schema ="))
    text = "\n".join(told)
    for said in (
        "targets/one.toml: line 3: cloud",
        "targets/one.toml: line 7: approvals",
        "line 10: timezone: expected an IANA",
        "until: is not after 09:00",
        "freeze 1 until: is before 2026-12-20",
        "targets/two.toml: line 7: cluster contxt: no such key",
        "cluster context: is missing",
        "targets/three.toml: line 1, column",
    ):
        assert said in text, text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('repository = "acme.azurecr.io:443/sluice"', 'repository = "https://acme.azurecr.io"', "registry repository"),
        ('from = "09:00"', 'from = "9 o\'clock"', "expected a time of day, such as 09:30"),
        ('days = ["mon", "tue"]', "days = []", "window"),
        ("steps = [10, 50]", "steps = [50, 10]", "each step has to be larger"),
        ("steps = [10, 50]", "steps = [100]", "canary steps"),
        ('description = "Production"', 'name = "other"', "is named after its file"),
        ("seconds = 120", "seconds = 0", "canary seconds"),
        ('context = "aks-acme"', 'context = ""', "cluster context"),
        ('account = "acmelogs"', "", "storage: account is missing: aks needs it"),
        ("client_id = ", 'secret = "key"\nclient_id = ', "storage secret: there is client_id already"),
        ('client_id = "00000000-0000-0000-0000-000000000001"', "", "storage: client_id or secret is missing"),
        ('account = "acmelogs"', 'account = "acmelogs"\nregion = "x"', "storage region: aks has no use for it"),
        ('bucket = "logs"', 'bucket = ""', "storage bucket"),
        ('cloud = "aks"', 'cloud = "local"', "storage: a local target keeps its logs on a volume"),
        ('cloud = "aks"', 'cloud = "oke"', "storage: endpoint is missing: oke needs it"),
        ("monitoring = [", "monitorng = [", "values monitorng: no chart helm/monitorng"),
        ("targets/all.yaml", "targets/al.yaml", "values services: no file targets/al.yaml"),
        ('smoke = ["api", "events"]', 'smoke = ["apis"]', "smoke: no suite tests/e2e/apis"),
    ],
)
def test_what_a_key_may_not_hold(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in FULL
    assert said in "\n".join(mistakes(tree(tmp_path, staging=LEAST, production=FULL.replace(old, new))))


IDENTITY = """
[identity]
issuer = "https://token.actions.githubusercontent.com"
subject = "https://github.com/acme/tasks/.github/workflows/release.yml@refs/tags/v*"
trusted_root = "targets/all.yaml"
"""


def test_a_target_says_whose_signature_it_takes(tmp_path: Path) -> None:
    tree(tmp_path, staging=LEAST, production=FULL, other=LEAST + IDENTITY)
    targets = load_targets(tmp_path)
    assert targets["staging"].trusted(tmp_path) == PublicKey(tmp_path / "release/cosign.pub")
    assert targets["production"].trusted(tmp_path) == PublicKey(tmp_path / "release/other.pub")
    found = targets["other"].trusted(tmp_path)
    assert isinstance(found, Identity)
    assert (found.issuer, found.trusted_root) == (GITHUB, str(tmp_path / "targets/all.yaml"))
    assert str(found) == "https://github.com/acme/tasks/.github/workflows/release.yml@refs/tags/v*"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("https://token", "http://token", "identity issuer: expected an https URL"),
        ("https://token", "https://me@token", "identity issuer: expected an https URL"),
        ("https://token.actions.githubusercontent.com", "", "identity issuer: expected an https URL"),
        ("subject = ", "subjct = ", "identity subjct: no such key"),
        ("subject = ", "subjct = ", "identity subject: is missing"),
        ("tags/v*", "tags/v *", "identity subject: expected who signs"),
        ("github.com/acme/tasks", "github.com/acme/*", "with a * nowhere before the repository's end"),
        ("https://github.com/acme/tasks", "*/acme/tasks", "identity subject: expected who signs"),
        ("https://github.com/acme/tasks", "https://*/acme/tasks", "identity subject: expected who signs"),
        ("https://github.com/acme/tasks", "https://github.com/a*/tasks", "identity subject: expected who signs"),
        ("targets/all.yaml", "targets/al.json", "identity trusted_root: no file targets/al.json"),
    ],
)
def test_what_an_identity_may_not_be(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in IDENTITY
    assert said in "\n".join(mistakes(tree(tmp_path, other=LEAST + IDENTITY.replace(old, new))))


def test_an_identity_and_a_key_are_too_much_and_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    worse = IDENTITY.replace("https://token", "token").replace("https://github.com/acme/tasks", "*")
    text = "\n".join(mistakes(tree(tmp_path, staging=LEAST, production=FULL + worse)))
    for said in ("there is public_key already", "an https URL", "expected who signs"):
        assert said in text


def test_a_target_comes_after_one_that_there_is_and_never_after_itself(tmp_path: Path) -> None:
    after = LEAST.replace("[registry]", "after = [{}]\n[registry]", 1)
    tree(tmp_path, a=after.format('"b"'), b=after.format('"c"'), c=LEAST, d=after.format('"a", "c"'))
    targets = load_targets(tmp_path)
    assert in_order(targets, "d") == ["c", "b", "a"]
    assert in_order(targets, "c") == []
    tree(tmp_path, c=after.format('"a"'))
    [told] = mistakes(tmp_path)
    assert "comes after itself: " in told
    for pair in ("a after b", "b after c", "c after a"):
        assert pair in f"{told} {told.rpartition(': ')[2].partition(' after ')[2]}" or pair in told * 2
    tree(tmp_path, c=after.format('"nowhere"'))
    assert mistakes(tmp_path) == ("targets/c.toml: after: no target nowhere",)


def test_a_cloud_names_its_one_target(tmp_path: Path) -> None:
    targets = load_targets(tree(tmp_path, staging=LEAST, production=FULL.replace('after = ["staging"]', "")))
    assert target_of(targets, "production") is targets["production"]
    assert target_of(targets, "gke") is targets["staging"]
    with pytest.raises(TargetError, match="no target oke"):
        target_of(targets, "oke")
    targets = load_targets(tree(tmp_path, other=LEAST))
    with pytest.raises(TargetError, match="no target gke: other, staging are of that cloud"):
        target_of(targets, "gke")


def test_what_a_target_says_becomes_its_charts_values(tmp_path: Path) -> None:
    target = load_targets(tree(tmp_path, staging=LEAST, production=FULL))["production"]
    assert target.chart_values("backend") == {"imagePullSecrets": ["registry"]}
    azure = {"account": "acmelogs", "clientId": "00000000-0000-0000-0000-000000000001"}
    storage = {"objectStorage": {"bucket": "logs", "azure": azure}}
    assert target.chart_values("logging") == {"imagePullSecrets": ["registry"], "loki": storage}
    oke = LEAST.replace("gke", "oke") + '[storage]\nbucket = "b"\nendpoint = "e"\nregion = "r"\nsecret = "s"\n'
    gke = LEAST + '[storage]\nbucket = "b"\nservice_account = "loki@acme.iam.gserviceaccount.com"\n'
    targets = load_targets(tree(tmp_path, other=oke, staging=gke))
    s3 = {"bucket": "b", "secret": "s", "s3": {"endpoint": "e", "region": "r"}}
    assert targets["other"].chart_values("logging") == {"loki": {"objectStorage": s3}}
    gcs = {"bucket": "b", "gcs": {"serviceAccount": "loki@acme.iam.gserviceaccount.com"}}
    assert targets["staging"].chart_values("logging") == {"loki": {"objectStorage": gcs}}
    assert targets["staging"].chart_values("backend") == {}


def test_where_its_files_are(tmp_path: Path) -> None:
    least = load_targets(tree(tmp_path, staging=LEAST))["staging"]
    home, none = Path("~").expanduser(), dict[str, str]()
    assert least.cluster.kubeconfig_files(tmp_path, none) == (home / ".kube/config",)
    assert least.cluster.kubeconfig_files(tmp_path, {"KUBECONFIG": "/a:/b"}) == (Path("/a"), Path("/b"))
    assert least.registry.credentials_file(tmp_path, none) == home / ".docker/config.json"
    assert least.registry.credentials_file(tmp_path, {"DOCKER_CONFIG": "/c"}) == Path("/c/config.json")
    assert (least.registry.host, least.registry.ca_file(tmp_path)) == ("europe-docker.pkg.dev", None)
    local = load_targets(ROOT)["local"]
    environment = {"KUBECONFIG": "/a", "DOCKER_CONFIG": "/c"}
    assert local.cluster.kubeconfig_files(ROOT, environment) == (ROOT / ".sluice/target/kubeconfig",)
    assert local.registry.credentials_file(ROOT, environment) == ROOT / ".sluice/target/config.json"
    assert (local.registry.host, local.registry.ca_file(ROOT)) == ("localhost:5443", ROOT / ".sluice/target/ca.crt")


def test_the_targets_of_this_tree_can_be_used() -> None:
    """One of each cloud; a deploy can begin with any of them, for they wait for none."""
    targets = load_targets(ROOT)
    assert {name: target.cloud for name, target in targets.items()} == {cloud: cloud for cloud in sorted(CLOUDS)}
    assert [target_of(targets, cloud).name for cloud in CLOUDS] == list(CLOUDS)
    assert [name for name, target in targets.items() if target.storage is None] == ["local"]
    assert [name for name, target in targets.items() if not target.windows] == ["local"]
    assert {name for name, target in targets.items() if target.approvals} == {"oke", "aks", "gke"}
