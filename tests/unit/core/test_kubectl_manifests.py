"""Manifests: kustomizations with images by digest, and secrets that are in no argument, file or log."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.core.support import program

from sluice.adapters.kubernetes.applied import Applied, file_of, forget_namespace
from sluice.adapters.kubernetes.manifests import Manifests
from sluice.domain import Image
from sluice.errors import ChartError

pytestmark = pytest.mark.anyio
SECRET = "correct-horse-battery"
IMAGE = Image("postgresql", "r/postgresql", "sha256:1")
KUBECTL = """
import json, sys
given = sys.stdin.read()
open({calls!r}, 'a').write(json.dumps(sys.argv[1:]) + chr(10))
if 'get' in sys.argv:
    print(open({held!r}).read())
    sys.exit(0)
if '--output' in sys.argv:
    print(open({applied!r}).read())
status, said = open({behaviour!r}).read().split(' ', 1)
print(said, file=sys.stderr)
if given:
    print(len(given), json.loads(given)['metadata'], sorted(json.loads(given)['stringData']))
sys.exit(int(status))
"""


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = {name: str(folder / name) for name in ("calls", "behaviour", "held", "applied")}
        kubectl = program(folder / "kubectl", KUBECTL.format(**files))
        self.behave("0 ok")
        (folder / "applied").write_text("")
        (folder / "kubeconfig").write_text("credentials")
        self._kubectl = kubectl
        self.begin()

    def begin(self, *, reuse: bool = False) -> None:
        """A run begins."""
        kubeconfig = self.folder / "kubeconfig"
        applied = Applied.take(kubeconfig, reuse=reuse)
        self.manifests = Manifests(self._kubectl, kubeconfig, self.folder / "work", self.folder / "logs", applied)

    def kept(self) -> None:
        """A run ends and leaves its cluster; the next one uses it again."""
        self.manifests.applied.give_back()
        (self.folder / "calls").write_text("")
        self.begin(reuse=True)

    def behave(self, how: str) -> None:
        (self.folder / "behaviour").write_text(how)

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def overlay(self) -> dict[str, Any]:
        """The kustomization that was applied last."""
        found: dict[str, Any] = yaml.safe_load((Path(self.calls()[-1][-1]) / "kustomization.yaml").read_text())
        return found

    def log(self) -> str:
        return (self.folder / "logs" / "kubectl.log").read_text()


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_manifests_are_applied_on_the_server(rig: Rig) -> None:
    await rig.manifests.apply(Path("some/crds"))
    [words] = rig.calls()
    assert words == [
        "--kubeconfig", str(rig.folder / "kubeconfig"), "apply", "--server-side", "--force-conflicts",
        "--filename", "some/crds",
    ]  # fmt: skip


async def test_a_refusal_is_told_in_the_servers_words(rig: Rig) -> None:
    rig.behave("1 error: no matches for kind Prometheus")
    with pytest.raises(ChartError, match="applying crds failed") as caught:
        await rig.manifests.apply(Path("some/crds"))
    assert "no matches for kind" in caught.value.seen
    assert caught.value.next_command == f"read {rig.folder / 'logs' / 'kubectl.log'}"


async def test_a_fixture_names_its_images_by_digest_and_its_folder_relatively(rig: Rig) -> None:
    folder = rig.folder / "tree" / "postgresql"
    folder.mkdir(parents=True)
    await rig.manifests.apply_fixture(folder, {"postgresql": IMAGE}, "default", label=("applied", "postgresql"))
    found = rig.overlay()
    assert found["namespace"] == "default"
    assert found["images"] == [{"name": "postgresql", "newName": "r/postgresql", "digest": "sha256:1"}]
    assert found["labels"] == [{"pairs": {"applied": "postgresql"}}]
    [resource] = found["resources"]
    assert not Path(resource).is_absolute()
    assert (Path(rig.calls()[0][-1]) / resource).resolve() == folder.resolve()


async def test_what_of_a_fixture_runs_is_returned_by_the_kinds_of_the_api(rig: Rig) -> None:
    (rig.folder / "applied").write_text("configmap/a\nservice/kafka\nstatefulset.apps/kafka\njob.batch/provision-x\n")
    applied = await rig.manifests.apply_fixture(rig.folder, {}, "default", label=("applied", "kafka"))
    assert applied == ("StatefulSet/kafka", "Job/provision-x")


async def test_a_file_for_a_service_has_its_names_and_a_revision_filled_in(rig: Rig) -> None:
    file = rig.folder / "postgresql" / "each-service.yaml"
    file.parent.mkdir()
    file.write_text("${service} ${identifier} ${revision} ${other} $$")

    async def revision(image: Image = IMAGE) -> str:
        await rig.manifests.apply_for_service(
            file, {"postgresql": image}, "default", service="recurring-task", label=("applied", "postgresql.x")
        )
        assert rig.overlay()["resources"] == ["each-service.yaml"]
        assert rig.overlay()["images"][0]["digest"] == image.digest
        text = (Path(rig.calls()[-1][-1]) / "each-service.yaml").read_text()
        service, identifier, found, *rest = text.split()
        assert (service, identifier, rest) == ("recurring-task", "recurring_task", ["${other}", "$$"])
        assert len(found) == 8
        int(found, 16)
        return found

    first = await revision()
    assert await revision() == first
    assert await revision(Image("postgresql", "r/postgresql", "sha256:2")) != first
    (file.parent / "provision.sql").write_text("SELECT 1")
    assert await revision() != first


async def test_a_secret_travels_on_stdin_only(rig: Rig) -> None:
    await rig.manifests.ensure_secret("postgresql", "default", {"password": SECRET})
    assert rig.calls()[0][2:] == ["create", "--filename", "-"]
    assert "'name': 'postgresql'" in rig.log()
    assert "['password']" in rig.log()
    for file in rig.folder.rglob("*"):
        assert not file.is_file() or SECRET not in file.read_text(), file


async def test_a_secret_that_is_there_already_is_kept_and_known(rig: Rig) -> None:
    rig.behave('1 Error from server (AlreadyExists): secrets "postgresql" already exists')
    held = base64.b64encode(b"the one that counts").decode()
    (rig.folder / "held").write_text(json.dumps({"data": {"password": held}}))
    await rig.manifests.ensure_secret("postgresql", "default", {"password": SECRET})
    assert rig.manifests.secrets == ["the one that counts"]
    assert held not in rig.log()


async def test_the_private_part_of_a_key_is_a_secret_by_itself(rig: Rig) -> None:
    key = json.dumps({"kty": "EC", "x": "public", "d": "private"})
    await rig.manifests.ensure_secret("user-tokens", "default", {"signing-key.jwk": key, "jwks.json": '{"keys": []}'})
    assert rig.manifests.secrets == [key, "private", '{"keys": []}']


async def test_a_secret_that_is_refused_is_told_without_its_value(rig: Rig) -> None:
    rig.behave("1 Error from server (Forbidden): no")
    with pytest.raises(ChartError, match="creating the secret postgresql failed") as caught:
        await rig.manifests.ensure_secret("postgresql", "default", {"password": SECRET})
    assert "Forbidden" in caught.value.seen
    assert SECRET not in str(caught.value)


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


async def test_a_run_inside_of_a_run_learns_what_stands_there_from_its_file(rig: Rig) -> None:
    tree(rig.folder)
    aside = rig.folder / "aside.json"
    rig.manifests.applied.aside = aside
    await put(rig)
    file_of(rig.folder / "kubeconfig").write_bytes(aside.read_bytes())
    (rig.folder / "calls").write_text("")
    rig.begin(reuse=True)
    await put(rig)
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
