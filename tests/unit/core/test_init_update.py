"""A newer copy of Sluice's part in a project: what its owner did is theirs, and a kill at any point does no harm."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.core.test_cli import sluice
from tests.unit.core.test_init import small, tree
from tests.unit.core.trees import tree as sources
from tests.unit.core.trees import write

from sluice.adopting import Updated, begin, update, updating
from sluice.adopting.parts import parts
from sluice.adopting.record import FILE, fingerprint, place, read_record
from sluice.errors import ProjectError

NOTHING = Updated((), (), (), ())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Sluice's own tree, a small one."""
    return small(tmp_path / "sluice", {"docs/c/deep.md": "deep", "dagger": "old"})


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Path:
    """A project that was made of it."""
    begin(root, tmp_path / "shop", "hello", "1")
    return tmp_path / "shop"


def contents(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in tree(folder) - {FILE} if not (folder / name).is_symlink()}


def test_without_anything_new_nothing_is_done(root: Path, project: Path) -> None:
    before = contents(project)
    assert update(root, project, "2") == NOTHING
    assert contents(project) == before
    assert read_record(project).revision == "2"


def test_what_the_owner_did_not_change_is_replaced_added_and_removed(root: Path, project: Path) -> None:
    write(root, {"nox": "run faster", "docs/new/page.md": "new"})
    (root / "nox").chmod(0o755)
    (root / "docs/c/deep.md").unlink()
    done = update(root, project, "2")
    assert done == Updated(("docs/new/page.md", "nox"), ("docs/c/deep.md",), (), ())
    assert (project / "nox").read_text() == "run faster"
    assert (project / "nox").stat().st_mode & 0o111
    assert (project / "docs/new/page.md").read_text() == "new"
    assert not (project / "docs/c").exists(), "an empty folder is left"
    assert set(read_record(project).files) == set(parts(root))


def test_what_the_owner_changed_is_left_with_ours_beside_it(root: Path, project: Path) -> None:
    write(project, {"nox": "my own"})
    write(root, {"nox": "run faster"})
    assert update(root, project, "2") == Updated((), (), ("nox",), ())
    assert (project / "nox").read_text() == "my own"
    assert (project / "nox.new").read_text() == "run faster"
    assert update(root, project, "2").left == ("nox",), "told until it was seen to"
    (project / "nox.new").unlink()
    assert update(root, project, "2") == NOTHING, "what was merged is not asked about again"
    assert (project / "nox").read_text() == "my own"


def test_what_only_the_owner_changed_is_not_told_of(root: Path, project: Path) -> None:
    write(project, {"nox": "my own"})
    assert update(root, project, "2") == NOTHING
    assert (project / "nox").read_text() == "my own"


def test_what_both_changed_alike_is_nobodys_matter(root: Path, project: Path) -> None:
    write(project, {"nox": "the same"})
    write(root, {"nox": "the same"})
    assert update(root, project, "2") == NOTHING
    write(root, {"nox": "newer"})
    assert update(root, project, "3").written == ("nox",), "it is Sluice's again"


def test_what_the_owner_deleted_stays_deleted(root: Path, project: Path) -> None:
    (project / "nox").unlink()
    write(root, {"nox": "run faster"})
    for revision in ("2", "3"):
        assert update(root, project, revision) == NOTHING
        assert not (project / "nox").exists()


def test_a_file_of_the_owners_in_a_new_ones_place_is_left(root: Path, project: Path) -> None:
    write(project, {"docs/new.md": "mine"})
    write(root, {"docs/new.md": "yours"})
    assert update(root, project, "2").left == ("docs/new.md",)
    assert (project / "docs/new.md").read_text() == "mine"
    assert (project / "docs/new.md.new").read_text() == "yours"


def test_what_sluice_has_no_more_and_the_owner_changed_is_told_of(root: Path, project: Path) -> None:
    write(project, {"docs/a.md": "mine"})
    (root / "docs/a.md").unlink()
    assert update(root, project, "2") == Updated((), (), (), ("docs/a.md",))
    assert (project / "docs/a.md").read_text() == "mine"
    assert update(root, project, "3") == NOTHING


def test_the_owners_own_files_are_not_touched(root: Path, project: Path) -> None:
    mine = dict.fromkeys(contents(project).keys() - parts(root), "mine") | {"docs/mine.md": "mine", "x/y": "mine"}
    assert len(mine) > 10
    write(project, mine)
    write(root, {"nox": "run faster", "release/policy.toml": "newer", "release/quarantine.toml": "newer"})
    (root / "docs/b.md").unlink()
    update(root, project, "2")
    assert {name: text for name, text in contents(project).items() if name in mine} == mine


def stopping(at: int) -> Callable[[Path, Path], None]:
    """Places files as ever, and is killed before the one of this number."""
    placed: list[Path] = []

    def stop(source: Path, target: Path) -> None:
        if len(placed) == at:
            raise KeyboardInterrupt
        placed.append(target)
        place(source, target)

    return stop


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_killed_update_goes_on_with_a_still_newer_sluice(
    root: Path, project: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """What the killed one had put there is not taken for the owner's."""
    write(project, {"docs/b.md": "mine"})
    write(root, dict.fromkeys(("dagger", "docs/a.md", "docs/b.md", "nox"), "2"))
    with monkeypatch.context() as patch:
        patch.setattr(updating, "place", stopping(at))
        with pytest.raises(KeyboardInterrupt):
            update(root, project, "2")
    for name in ("dagger", "docs/a.md", "nox"):
        write(root, {name: "3"})
    done = update(root, project, "3")
    assert (done.written, done.left) == (("dagger", "docs/a.md", "nox"), ("docs/b.md",))
    assert {name: contents(project)[name] for name in ("dagger", "docs/a.md", "docs/b.md", "nox")} == {
        "dagger": "3",
        "docs/a.md": "3",
        "docs/b.md": "mine",
        "nox": "3",
    }
    assert read_record(project).updating == {}


def test_a_file_that_cannot_be_put_there_leaves_the_old_one(root: Path, project: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        place(root / "gone", project / "nox")
    assert (project / "nox").read_text() == "run"
    assert not [name for name in tree(project) if name.startswith(".nox")]


def test_links_and_folders_have_fingerprints_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, {"file": "x", "folder/file": "x"})
    (tmp_path / "link").symlink_to("file")
    found = [fingerprint(tmp_path / name) for name in ("file", "link", "folder", "none")]
    assert found[1:] == ["link:file", "folder", ""]
    assert found[0].startswith("sha256:")


def test_a_folder_that_is_no_project_is_refused(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", {"mine": ""})
    with pytest.raises(ProjectError, match=f"no {FILE}") as caught:
        update(root, tmp_path / "other", "2")
    assert f"./nox -s init -- --into {tmp_path / 'other'}" in str(caught.value)
    assert tree(tmp_path / "other") == {"mine"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema": "sluice.adopted/v2", "revision": "1", "files": {}}',
        '{"schema": "sluice.adopted/v1", "revision": "1"}',
        '{"schema": "sluice.adopted/v1", "revision": "1", "files": {"nox": 1}}',
        '{"schema": "sluice.adopted/v1", "revision": "1", "files": []}',
        '{"schema": "sluice.adopted/v1", "revision": "1", "files": {}, "more": 1}',
    ],
)
def test_a_record_that_is_none_is_told_and_nothing_is_done(root: Path, project: Path, text: str) -> None:
    write(project, {FILE: text})
    write(root, {"nox": "run faster"})
    with pytest.raises(ProjectError, match="is not the record of a project"):
        update(root, project, "2")
    assert (project / "nox").read_text() == "run"


def test_the_command_lists_what_it_did(root: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sources(root, "shop"))
    write(root, {"nox": "newer", "dagger": "newer"})
    write(project, {"nox": "mine", "docs/b.md": "mine"})
    for name in ("docs/a.md", "docs/b.md"):
        (root / name).unlink()
    done = sluice("init", "--into", str(project), "--update")
    assert done.exit_code == 0, done.output
    for line in (
        "written  dagger",
        "removed  docs/a.md",
        "yours    nox: Sluice's is beside it; take over what you want of nox.new and delete that",
        "yours    docs/b.md: Sluice has it no more",
    ):
        assert line in done.output
    assert re.search(r"\d+ written, 1 removed, 2 left to you", done.output)


def test_a_service_is_not_given_to_an_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = sluice("init", "--into", str(tmp_path), "--update", "--service", "hello")
    assert done.exit_code == 2
    assert "--update has one" in done.output
