"""A kept cluster: what stands there is remembered, and put there again only where that is not certain."""

import base64
import json
import shutil
from pathlib import Path

import pytest
from tests.unit.core.test_kubectl_manifests import IMAGE, SECRET, Rig

from sluice.adapters.kubernetes.applied import file_of, forget_namespace
from sluice.domain import Image
from sluice.errors import ChartError

pytestmark = pytest.mark.anyio


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def tree(folder: Path, content: str = "a") -> Path:
    fixture = folder / "tree" / "kafka"
    fixture.mkdir(parents=True, exist_ok=True)
    (fixture / "kafka.yaml").write_text(content)
    return fixture


async def put(rig: Rig, image: Image = IMAGE) -> tuple[str, ...]:
    """Put a manifest, a fixture and what it has for a service on the cluster; returns the fixture's workloads."""
    fixture = tree(rig.folder, (rig.folder / "tree/kafka/kafka.yaml").read_text())
    (rig.folder / "namespaces.yaml").write_text("namespaces")
    (rig.folder / "each.yaml").write_text("${service}")
    await rig.manifests.apply(rig.folder / "namespaces.yaml")
    found = await rig.manifests.apply_fixture(fixture, {"kafka": image}, "default", label=("applied", "kafka"))
    await rig.manifests.apply_for_service(
        rig.folder / "each.yaml", {"kafka": image}, "default", service="sync", label=("applied", "kafka.sync")
    )
    return found


async def test_what_stands_on_a_kept_cluster_is_not_applied_again_and_still_waited_for(rig: Rig) -> None:
    (rig.folder / "applied").write_text("statefulset.apps/kafka\njob.batch/provision-x\n")
    tree(rig.folder)
    assert await put(rig) == ("StatefulSet/kafka", "Job/provision-x")
    assert len(rig.calls()) == 3
    rig.kept()
    assert await put(rig) == ("StatefulSet/kafka",)  # a Job may have been removed since
    assert rig.calls() == []


async def test_what_changed_is_applied_to_a_kept_cluster_and_nothing_else(rig: Rig) -> None:
    tree(rig.folder)
    await put(rig)
    rig.kept()
    tree(rig.folder, "b")
    await put(rig)
    assert len(rig.calls()) == 1
    rig.kept()
    await put(rig, Image("postgresql", "r/postgresql", "sha256:2"))
    assert len(rig.calls()) == 2


async def test_another_cluster_of_that_name_has_nothing_yet(rig: Rig) -> None:
    tree(rig.folder)
    await put(rig)
    rig.manifests.applied.give_back()
    (rig.folder / "kubeconfig").write_text("another's")
    rig.begin(reuse=True)
    await put(rig)
    assert len(rig.calls()) == 6


@pytest.mark.parametrize("left", ["nothing", "half a line", "no reuse"])
async def test_everything_is_applied_where_the_last_run_did_not_come_to_its_end(rig: Rig, left: str) -> None:
    tree(rig.folder)
    await put(rig)
    rig.manifests.applied.give_back()
    file = rig.folder / "kubeconfig.applied.json"
    if left == "nothing":
        rig.begin(reuse=True)  # and is killed
    if left == "half a line":
        file.write_text(file.read_text()[:20])
    rig.begin(reuse=left != "no reuse")
    await put(rig)
    assert len(rig.calls()) == 6
    assert not file.exists()


async def test_an_emptied_namespace_is_filled_again_and_nothing_else(rig: Rig) -> None:
    tree(rig.folder)
    await put(rig)
    rig.manifests.applied.give_back()
    forget_namespace(rig.folder / "kubeconfig", "other")
    forget_namespace(rig.folder / "kubeconfig", "default")
    (rig.folder / "calls").write_text("")
    rig.begin(reuse=True)
    await put(rig)
    assert ["--kustomize" in words for words in rig.calls()] == [True, True]


@pytest.mark.parametrize("reuse", [False, True])
async def test_a_run_inside_of_a_run_learns_what_stands_there_from_its_file(rig: Rig, reuse: bool) -> None:
    tree(rig.folder)
    await put(rig)
    rig.manifests.applied.give_back()
    rig.begin(reuse=reuse)
    await put(rig)
    file_of(rig.folder / "kubeconfig").write_bytes(rig.aside.read_bytes())
    (rig.folder / "calls").write_text("")
    rig.begin(reuse=True)
    await put(rig)
    assert rig.calls() == []


async def test_a_copy_of_the_tree_is_the_same(rig: Rig) -> None:
    fixture = tree(rig.folder)
    await rig.manifests.apply_fixture(fixture, {"kafka": IMAGE}, "default", label=("applied", "kafka"))
    rig.kept()
    copy = rig.folder / "elsewhere" / "deep" / "kafka"
    shutil.copytree(fixture, copy)
    await rig.manifests.apply_fixture(copy, {"kafka": IMAGE}, "default", label=("applied", "kafka"))
    assert rig.calls() == []


async def test_a_refused_manifest_is_tried_again(rig: Rig) -> None:
    file = rig.folder / "namespaces.yaml"
    file.write_text("namespaces")
    rig.behave("1 error: no")
    with pytest.raises(ChartError):
        await rig.manifests.apply(file)
    rig.behave("0 ok")
    rig.kept()
    await rig.manifests.apply(file)
    assert len(rig.calls()) == 1


async def test_a_secret_of_a_kept_cluster_is_read_in_one_call(rig: Rig) -> None:
    rig.kept()
    value = base64.b64encode(SECRET.encode()).decode()
    (rig.folder / "held").write_text(json.dumps({"data": {"password": value}}))
    await rig.manifests.ensure_secret("kafka", "default", {"password": "new"})
    [words] = rig.calls()
    assert words[2:5] == ["get", "secret", "kafka"]
    assert rig.manifests.secrets == [SECRET]
    assert not (rig.folder / "logs" / "kubectl.log").exists() or SECRET not in rig.log()
    (rig.folder / "held").write_text("")
    await rig.manifests.ensure_secret("other", "default", {"password": SECRET})
    assert [words[2] for words in rig.calls()] == ["get", "get", "create"]
