"""targets/*.toml: every mistake of every file at once, each with its line."""

from pathlib import Path

import pytest

from sluice.errors import TargetError
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
[values]
monitoring = ["targets/aks-monitoring.yaml"]
"""


def tree(root: Path, **files: str) -> Path:
    (root / "targets").mkdir(exist_ok=True)
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
    ],
)
def test_what_a_key_may_not_hold(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in FULL
    assert said in "\n".join(mistakes(tree(tmp_path, staging=LEAST, production=FULL.replace(old, new))))


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
