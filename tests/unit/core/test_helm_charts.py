"""Helm: charts are copied with their library, values are handed over, failures are told in Helm's words."""

import json
from pathlib import Path

import pytest
import yaml
from tests.unit.core.support import program
from tests.unit.core.trees import write

from sluice.adapters.helm.charts import Helm
from sluice.domain import ChartRelease
from sluice.errors import ChartError, CommandFailed

pytestmark = pytest.mark.anyio
HELM = """
import json, os, sys
open({calls!r}, 'a').write(json.dumps([sys.argv[1:], os.environ['HELM_CACHE_HOME']]) + chr(10))
behaviour = open({behaviour!r}).read()
if behaviour == 'fails':
    print('Error: template: backend/templates/x.yaml:3: nil pointer', file=sys.stderr); sys.exit(1)
if behaviour.startswith('says '):
    print(behaviour[5:], file=sys.stderr); sys.exit(1)
print('WARNING: something' if behaviour == 'works' else behaviour)
if behaviour == 'works':
    print(json.dumps({{'name': 'x', 'version': 7, 'info': {{}}}}, indent=1))
"""


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        helm = program(
            folder / "bin/helm", HELM.format(calls=str(folder / "calls"), behaviour=str(folder / "behaviour"))
        )
        self.behave("works")
        write(folder / "tree/helm", {
            "lib/Chart.yaml": "name: lib", "lib/templates/_x.tpl": "x",
            "backend/Chart.yaml": "name: backend\ndependencies:\n- {name: lib, version: 1, repository: 'file://../lib'}\n",
            "backend/values.yaml": "a: 1",
        })  # fmt: skip
        for name in ("work", "logs"):
            (folder / name).mkdir()
        folders = (folder / "kubeconfig", folder / "tree", folder / "work", folder / "logs")
        self.helm = Helm(helm, *folders)
        self.keeping = Helm(helm, *folders, keep_current=True)

    def behave(self, how: str) -> None:
        (self.folder / "behaviour").write_text(how)

    async def install(self, release: str = "api", chart: str = "helm/backend") -> ChartRelease:
        return await self.helm.install(
            release, chart, "default", values={"image": {"digest": "sha256:1"}}, value_files=[Path("given.yaml")]
        )

    def calls(self) -> list[list[str]]:
        return [json.loads(line)[0] for line in (self.folder / "calls").read_text().splitlines()]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_a_chart_is_installed_with_our_values_last(rig: Rig) -> None:
    assert await rig.install() == ChartRelease("api", "default", 7)
    [words] = rig.calls()
    assert words[:2] == ["upgrade", "api"]
    files = [words[place + 1] for place, word in enumerate(words) if word == "--values"]
    assert files[0] == "given.yaml"
    assert yaml.safe_load(Path(files[1]).read_text()) == {"image": {"digest": "sha256:1"}}


async def test_the_library_lies_beside_the_chart_and_the_tree_is_left_as_it_is(rig: Rig) -> None:
    await rig.install()
    chart = Path(rig.calls()[0][2])
    assert (chart / "charts/lib/templates/_x.tpl").read_text() == "x"
    assert not (rig.folder / "tree/helm/backend/charts").exists()


async def test_two_releases_of_one_chart_do_not_share_a_folder(rig: Rig) -> None:
    await rig.install("one")
    await rig.install("two")
    first, second = (Path(words[2]) for words in rig.calls())
    assert first != second
    assert first.name == second.name == "backend"
    assert (first / "Chart.yaml").exists()
    assert (second / "Chart.yaml").exists()


async def test_a_chart_that_was_changed_is_copied_anew(rig: Rig) -> None:
    await rig.install()
    (rig.folder / "tree/helm/backend/values.yaml").unlink()
    await rig.install()
    assert not (Path(rig.calls()[1][2]) / "values.yaml").exists()


async def test_a_users_own_helm_folders_do_not_matter(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM_CACHE_HOME", "/of/the/user")
    await rig.install()
    [line] = (rig.folder / "calls").read_text().splitlines()
    assert json.loads(line)[1] == str(rig.folder / "work/helm/cache")


async def test_a_chart_that_does_not_render_is_told_in_helms_words(rig: Rig) -> None:
    rig.behave("fails")
    with pytest.raises(ChartError, match="the chart helm/backend does not install as api") as caught:
        await rig.install()
    assert "nil pointer" in caught.value.seen
    assert "nil pointer" in (rig.folder / "logs/helm-api.log").read_text()


@pytest.mark.parametrize("answer", ["", "no json", "{}", "{'a'", "[]"])
async def test_an_answer_that_is_none_is_told(rig: Rig, answer: str) -> None:
    rig.behave(answer)
    with pytest.raises(ChartError, match="did not tell the release"):
        await rig.install()


async def test_a_chart_that_is_not_there_is_told(rig: Rig) -> None:
    with pytest.raises(ChartError, match="no chart at helm/none"):
        await rig.install(chart="helm/none")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("dependencies: [{name: lib, repository: 'https://x.org'}]", "depends on lib, which is not in the tree"),
        ("dependencies: [{name: lib, repository: 'file://../gone'}]", "depends on lib, which is not in the tree"),
        ("dependencies: [{name: lib}]", "depends on lib, which is not in the tree"),
        ("dependencies: [lib]", "Chart.yaml cannot be read"),
        ("{", "Chart.yaml cannot be read"),
        ("", "Chart.yaml cannot be read"),
    ],
)
async def test_a_broken_chart_file_is_told(rig: Rig, content: str, said: str) -> None:
    (rig.folder / "tree/helm/backend/Chart.yaml").write_text(content)
    with pytest.raises(ChartError, match=said):
        await rig.install()


async def test_a_chart_without_dependencies_is_fine(rig: Rig) -> None:
    (rig.folder / "tree/helm/backend/Chart.yaml").write_text("name: backend\ndependencies:\n")
    assert await rig.install()


@pytest.mark.parametrize(
    ("status", "change", "kept"),
    [
        ("deployed", "", True),
        ("failed", "", False),
        ("deployed", "tree/helm/backend/values.yaml", False),
        ("deployed", "tree/helm/lib/templates/_x.tpl", False),
        ("deployed", "given.yaml", False),
    ],
)
async def test_a_release_that_is_current_is_kept_where_that_is_asked_for(
    rig: Rig, status: str, change: str, kept: bool
) -> None:
    given = rig.folder / "given.yaml"
    given.write_text("b: 1")

    async def install(helm: Helm) -> ChartRelease:
        return await helm.install("api", "helm/backend", "default", values={"c": 1}, value_files=[given])

    await install(rig.helm)
    (words,) = rig.calls()
    described = words[words.index("--description") + 1]
    rig.behave(json.dumps([{"revision": 4, "status": status, "description": described}]))
    if change:
        path = rig.folder / change
        path.write_text(path.read_text()[:-1] + "~")
    if kept:
        assert await install(rig.keeping) == ChartRelease("api", "default", 4)
    else:
        with pytest.raises(ChartError):  # the program answers with a history whatever it is asked
            await install(rig.keeping)
    asked = [words[0] for words in rig.calls()[1:]]
    assert asked == (["history"] if kept else ["history", "upgrade"])


async def test_a_release_that_is_not_there_is_installed(rig: Rig) -> None:
    assert await rig.keeping.install("api", "helm/backend", "default", values={}) == ChartRelease("api", "default", 7)
    rig.behave("fails")
    with pytest.raises(ChartError):
        await rig.keeping.install("api", "helm/backend", "default", values={})
    assert [words[0] for words in rig.calls()] == ["history", "upgrade", "history", "upgrade"]


@pytest.mark.parametrize(
    ("history", "was_up"),
    [
        ('[{"status": "superseded"}, {"status": "failed"}]', True),
        ('[{"status": "deployed"}]', True),
        ('[{"status": "pending-install"}]', False),
        ("not found", False),
    ],
)
async def test_a_release_that_was_ever_up_is_known(rig: Rig, history: str, was_up: bool) -> None:
    rig.behave(history)
    assert await rig.helm.installed("api", "default") is was_up


async def test_what_a_release_put_on_the_cluster_is_read_and_logged_nowhere(rig: Rig) -> None:
    rig.behave("kind: Secret\nmetadata: {name: x}")
    assert (await rig.helm.manifest("api", "shop")).strip() == "kind: Secret\nmetadata: {name: x}"
    [words] = rig.calls()
    assert words[:5] == ["get", "manifest", "api", "--namespace", "shop"]
    assert list((rig.folder / "logs").iterdir()) == [], "a chart may hold what nobody else is to read"


async def test_a_release_that_is_not_there_has_put_nothing_there(rig: Rig) -> None:
    rig.behave("says Error: release: not found")
    assert await rig.helm.manifest("api", "shop") == ""


@pytest.mark.parametrize("said", ["Error: forbidden", "exec: executable gke-gcloud-auth-plugin not found"])
async def test_what_cannot_be_read_is_not_taken_for_nothing(rig: Rig, said: str) -> None:
    rig.behave(f"says {said}")
    with pytest.raises(CommandFailed) as caught:
        await rig.helm.manifest("api", "shop")
    assert said in caught.value.seen


async def test_what_would_be_installed_is_asked_of_the_cluster_and_not_done(rig: Rig) -> None:
    rig.behave("kind: Deployment")
    found = await rig.helm.rendered("api", "helm/backend", "shop", values={"a": 2}, value_files=[Path("given.yaml")])
    assert found.strip() == "kind: Deployment"
    [words] = rig.calls()
    assert words[:2] == ["template", "api"]
    assert {"--dry-run=server", "--is-upgrade", "--no-hooks"} <= set(words)
    assert words[words.index("--namespace") + 1] == "shop"
    files = [words[place + 1] for place, word in enumerate(words) if word == "--values"]
    assert files[0] == "given.yaml"
    assert yaml.safe_load(Path(files[1]).read_text()) == {"a": 2}, "ours last, as where it is installed"
    assert (Path(words[2]) / "charts/lib/templates/_x.tpl").is_file(), "with its library"
    assert not list((rig.folder / "logs").glob("*.log"))


async def test_one_that_does_not_render_is_told_in_helms_words(rig: Rig) -> None:
    rig.behave("fails")
    with pytest.raises(ChartError, match="the chart helm/backend does not render") as caught:
        await rig.helm.rendered("api", "helm/backend", "shop", values={})
    assert "nil pointer" in caught.value.seen
    assert caught.value.next_command.startswith("helm template api helm/backend")
