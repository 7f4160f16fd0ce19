"""The command: what it writes and says, how it ends, and that a target that is away is told and not passed."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from tests.unit.core.support import FakeProgress, program
from tests.unit.core.trees import tree, write
from typer.testing import CliRunner, Result

from sluice import readying
from sluice.entrypoints import cli, readiness_command
from sluice.errors import ClusterError
from sluice.promotion.readiness_file import file_of, last_ready
from sluice.promotion.targets import load_targets
from sluice.readiness.model import Readiness
from sluice.readying import OFFLINE, readiness_of
from sluice.run import Run
from sluice.settings import load_settings

ROOT = Path(__file__).parents[3]
# Renders a Deployment that has nothing that production asks for, and shows what it was told.
HELM = """
import sys
open({calls!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10))
print('kind: Deployment\\nmetadata: {{name: ' + sys.argv[2] + '}}\\n'
      'spec: {{template: {{spec: {{containers: [{{name: a, image: "a:1"}}]}}}}}}')
sys.exit({status})
"""
TARGET = """\
schema = "sluice.target/v1"
cloud = "gke"
registry = { repository = "registry.acme.org/sluice" }
cluster = { context = "acme" }
"""


class Rig:
    """A tree with one target and one chart, and a helm that renders what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder, folder / "calls"
        tree(folder, "api")
        write(folder, {
            "targets/prod.toml": TARGET,
            "helm/api/Chart.yaml": "name: api",
            "helm/api/values.yaml": "image: {repository: '', digest: ''}",
        })  # fmt: skip
        self.helm()

    def helm(self, status: int = 0) -> None:
        """Have helm end with a status."""
        self.program = program(self.folder / "bin/helm", HELM.format(calls=str(self.calls), status=status))

    async def get(self, _: str) -> Any:
        """As supply does it."""
        return SimpleNamespace(path=self.program)

    async def readiness(self, *, offline: bool = True) -> Readiness:
        """What the tree's target comes to."""
        run = Run(self.folder / "home", FakeProgress())
        box: Any = SimpleNamespace(root=self.folder, settings=load_settings(self.folder), supply=self)
        targets = load_targets(self.folder)
        return await readiness_of(box, self.folder / "home", run, targets["prod"], targets, offline=offline)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(tmp_path)
    monkeypatch.setattr("sluice.readying.artifact.program", lambda component: component.path)

    async def tools(*_: object) -> None:
        pass

    @asynccontextmanager
    async def reach(*_: object) -> AsyncIterator[None]:
        raise ClusterError("the API server does not answer", seen="password=hunter2")
        yield

    monkeypatch.setattr(readying, "release_tools", tools)
    monkeypatch.setattr(readying, "reach", reach)
    return made


def states(found: Readiness) -> dict[str, str]:
    return {item.id: item.state for item in found.items}


@pytest.mark.anyio
async def test_offline_looks_at_tree_and_charts_without_a_cluster(rig: Rig) -> None:
    found = await rig.readiness()
    assert states(found)["architecture.delivered"] == "passed"
    assert states(found)["security.non-root"] == "failed"
    assert states(found)["reliability.nodes"] == "unchecked"
    assert set(found.missing.values()) == {OFFLINE}
    [call] = rig.calls.read_text().splitlines()
    assert "--dry-run=client" in call
    assert "--namespace default" in call
    [run] = (rig.folder / "home" / "runs").iterdir()
    assert list((run / "steps").iterdir()) == [], "what was seen was not masked, and is not kept"
    assert not (run / "work" / "charts").exists()


@pytest.mark.anyio
async def test_images_have_a_digest_as_in_a_deploy(rig: Rig) -> None:
    await rig.readiness()
    given = next((rig.folder / "home" / "runs").glob("*/logs/values-api.yaml")).read_text()
    assert "repository: registry.acme.org/sluice/image" in given
    assert "digest: sha256:0000" in given


@pytest.mark.anyio
async def test_a_target_that_is_away_is_told_and_not_passed(rig: Rig) -> None:
    found = await rig.readiness(offline=False)
    assert states(found)["security.non-root"] == "failed", "charts are looked at all the same"
    assert states(found)["reliability.nodes"] == "unchecked"
    assert found.missing["cluster"] == "the API server does not answer: password=***"


@pytest.mark.anyio
async def test_charts_that_do_not_render_are_told_and_not_passed(rig: Rig) -> None:
    rig.helm(status=1)
    found = await rig.readiness()
    assert states(found)["security.non-root"] == "unchecked"
    assert "does not render" in found.missing["charts"]
    assert states(found)["documentation.described"] == "failed", "the tree is looked at all the same"


def sluice(rig: Rig, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.chdir(rig.folder)

    class Box:
        def __init__(self, root: Path, settings: object, *_: object) -> None:
            self.root, self.settings, self.supply = root, settings, rig

    monkeypatch.setattr(readiness_command, "Toolbox", Box)
    result = CliRunner().invoke(cli.app, ["readiness", *arguments])
    assert "Traceback" not in result.output
    return result


def test_it_writes_data_and_a_page_and_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    result = sluice(rig, monkeypatch, "--target", "prod", "--offline")
    assert result.exit_code == 0, result.output
    assert "of 100 points, none are asked for" in result.output
    assert "could not be checked: cluster" in result.output
    folder = rig.folder / ".sluice" / "readiness" / "latest"
    written = json.loads((folder / "readiness.json").read_text())
    schema = json.loads((ROOT / "docs/schemas/readiness-v1.schema.json").read_text())
    jsonschema.validate(written, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**written, "schema": "sluice.readiness/v2"}, schema)
    assert "security.non-root" in (folder / "readiness.html").read_text()
    assert last_ready(rig.folder / ".sluice", "prod") is None, "a deploy goes by a whole score only"


def test_a_deploy_goes_by_the_last_whole_score(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    result = sluice(rig, monkeypatch, "--target", "prod")
    assert result.exit_code == 0, result.output
    home = rig.folder / ".sluice"
    written = json.loads((home / "readiness" / "latest" / "readiness.json").read_text())
    ready = last_ready(home, "prod")
    assert ready is not None
    assert (ready.score, ready.at) == (written["score"], written["at"])


def test_a_score_that_is_asked_for_decides_how_it_ends(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    (rig.folder / "targets/prod.toml").write_text(f"{TARGET}[readiness]\nscore = 80\n", encoding="utf-8")
    result = sluice(rig, monkeypatch, "--target", "prod", "--offline", "--json", "-q")
    assert result.exit_code == 1
    [line] = result.stdout.splitlines()
    data = json.loads(line)
    assert data["exit_status"] == 1
    assert data["data"]["readiness"]["required"] == 80


def test_mistakes_of_the_tree_are_told_before_anything(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    (rig.folder / "release").mkdir()
    (rig.folder / "release/readiness.toml").write_text('schema = "sluice.confirmations/v1"\n[[confirmation]]\nx = 1\n')
    result = sluice(rig, monkeypatch, "--target", "prod", "--offline")
    assert result.exit_code == 2
    assert "line 3" in result.output
    assert not rig.calls.exists()
    assert sluice(rig, monkeypatch, "--target", "mars").exit_code == 2
    (rig.folder / "release/readiness.toml").unlink()
    write(rig.folder, {"services/api/service.toml": "[service]\nname = 1\n"})
    result = sluice(rig, monkeypatch, "--target", "prod", "--offline")
    assert result.exit_code == 2
    assert "services/api/service.toml:2" in result.output
    assert sluice(rig, monkeypatch).exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"schema": "sluice.readiness/v2", "target": "prod", "score": 9, "at": 1}',
        '{"schema": "sluice.readiness/v1", "target": "other", "score": 9, "at": 1}',
        '{"schema": "sluice.readiness/v1", "target": "prod", "score": NaN, "at": 1}',
        '{"schema": "sluice.readiness/v1", "target": "prod", "score": 9}',
    ],
)
def test_what_is_no_readiness_is_none(tmp_path: Path, text: str) -> None:
    assert last_ready(tmp_path, "prod") is None
    file_of(tmp_path, "prod").parent.mkdir()
    file_of(tmp_path, "prod").write_text(text)
    assert last_ready(tmp_path, "prod") is None
