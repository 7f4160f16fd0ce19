"""Manifests: kustomizations with images by digest, and secrets that are in no argument, file or log."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.core.support import program

from sluice.adapters.kubernetes.applied import Applied
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
    print(len(given), json.loads(given)['metadata'], sorted(json.loads(given)['stringData']), json.loads(given)['type'])
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
        self.aside = self.folder / "aside.json"
        applied = Applied.take(kubeconfig, reuse=reuse, aside=self.aside)
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


async def test_a_secret_is_of_the_type_that_it_is_made_for(rig: Rig) -> None:
    await rig.manifests.ensure_secret("postgresql", "default", {"password": SECRET})
    assert rig.log().strip().endswith("Opaque")
    kind = "kubernetes.io/dockerconfigjson"
    await rig.manifests.ensure_secret("registry", "default", {".dockerconfigjson": SECRET}, kind=kind)
    assert rig.log().strip().endswith(f"['.dockerconfigjson'] {kind}")
    assert rig.manifests.secrets == [SECRET, SECRET]


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
