"""Manifests: kustomizations with images by digest, and secrets that are in no argument, file or log."""

import json
from pathlib import Path

import pytest
import yaml
from tests.unit.core.support import program

from sluice.adapters.kubernetes.manifests import Manifests
from sluice.domain import Image
from sluice.errors import ChartError

pytestmark = pytest.mark.anyio
SECRET = "correct-horse-battery"
KUBECTL = """
import json, sys
given = sys.stdin.read()
open({calls!r}, 'a').write(json.dumps(sys.argv[1:]) + chr(10))
status, said = open({behaviour!r}).read().split(' ', 1)
print(said, file=sys.stderr)
if given:
    print(len(given), json.loads(given)['metadata'], sorted(json.loads(given)['stringData']))
sys.exit(int(status))
"""


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kubectl = program(
            folder / "kubectl", KUBECTL.format(calls=str(folder / "calls"), behaviour=str(folder / "behaviour"))
        )
        self.behave("0 ok")
        self.manifests = Manifests(kubectl, folder / "kubeconfig", folder / "work", folder / "logs")

    def behave(self, how: str) -> None:
        (self.folder / "behaviour").write_text(how)

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

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
    image = Image("postgresql", "r/postgresql", "sha256:1")
    await rig.manifests.apply_fixture(folder, {"postgresql": image}, "default")
    overlay = Path(rig.calls()[0][-1])
    found = yaml.safe_load((overlay / "kustomization.yaml").read_text())
    assert found["namespace"] == "default"
    assert found["images"] == [{"name": "postgresql", "newName": "r/postgresql", "digest": "sha256:1"}]
    [resource] = found["resources"]
    assert not Path(resource).is_absolute()
    assert (overlay / resource).resolve() == folder.resolve()


async def test_a_secret_travels_on_stdin_only(rig: Rig) -> None:
    await rig.manifests.ensure_secret("postgresql", "default", {"password": SECRET})
    assert rig.calls()[0][2:] == ["create", "--filename", "-"]
    assert "'name': 'postgresql'" in rig.log()
    assert "['password']" in rig.log()
    for file in rig.folder.rglob("*"):
        assert not file.is_file() or SECRET not in file.read_text(), file


async def test_a_secret_that_is_there_already_is_kept(rig: Rig) -> None:
    rig.behave('1 Error from server (AlreadyExists): secrets "postgresql" already exists')
    await rig.manifests.ensure_secret("postgresql", "default", {"password": SECRET})


async def test_a_secret_that_is_refused_is_told_without_its_value(rig: Rig) -> None:
    rig.behave("1 Error from server (Forbidden): no")
    with pytest.raises(ChartError, match="creating the secret postgresql failed") as caught:
        await rig.manifests.ensure_secret("postgresql", "default", {"password": SECRET})
    assert "Forbidden" in caught.value.seen
    assert SECRET not in str(caught.value)
