"""Images without an engine: valid layouts and archives, the same bytes on any day."""

import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.unit.supply.benches import component

from sluice.errors import SupplyError
from sluice.supply import oci, tools
from sluice.supply.debian import untagged


def image(folder: Path, content: str = "program") -> tuple[bytes, oci.Layer]:
    folder.mkdir(parents=True, exist_ok=True)
    tool = folder / "tool"
    tool.write_text(content)
    tool.chmod(0o700)
    layer = oci.write_layer(folder / "layer.tar", {"/usr/bin/tool": tool, "/bin/second": tool}, {"/bin/link": "second"})
    return oci.configuration([layer], ["/usr/bin/tool"], "65534"), layer


def blob(folder: Path, descriptor: dict[str, Any]) -> bytes:
    """A blob of a layout, held to its descriptor."""
    raw: bytes = (folder / "blobs/sha256" / descriptor["digest"].removeprefix("sha256:")).read_bytes()
    assert len(raw) == descriptor["size"]
    assert "sha256:" + hashlib.sha256(raw).hexdigest() == descriptor["digest"]
    return raw


def test_the_same_content_gives_the_same_image_on_another_day_in_another_folder(tmp_path: Path) -> None:
    digests = []
    for folder, day in (("a", 1_000_000), ("b/deep", 2_000_000_000)):
        config, layer = image(tmp_path / folder)
        os.utime(tmp_path / folder / "tool", (day, day))
        config, layer = image(tmp_path / folder)
        digests.append(oci.write_layout(tmp_path / folder / "oci", config, [layer]))
    assert digests[0] == digests[1]
    config, layer = image(tmp_path / "c", "another program")
    assert oci.write_layout(tmp_path / "c/oci", config, [layer]) != digests[0]


def test_a_layout_is_valid_down_to_every_digest_and_size(tmp_path: Path) -> None:
    config, layer = image(tmp_path)
    digest = oci.write_layout(tmp_path / "oci", config, [layer])
    folder = tmp_path / "oci"
    assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    [descriptor] = json.loads((folder / "index.json").read_text())["manifests"]
    assert descriptor["digest"] == digest == oci.layout_digest(folder)
    manifest = json.loads(blob(folder, descriptor))
    assert manifest["schemaVersion"] == 2
    assert manifest["mediaType"] == descriptor["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    held = json.loads(blob(folder, manifest["config"]))
    assert held["config"]["Entrypoint"] == ["/usr/bin/tool"]
    assert held["config"]["User"] == "65534"
    assert "created" not in held
    assert [one["digest"] for one in manifest["layers"]] == held["rootfs"]["diff_ids"] == [layer.diff_id]
    blob(folder, manifest["layers"][0])
    assert oci.layout_layers(folder) == [folder / "blobs/sha256" / layer.diff_id.removeprefix("sha256:")]
    assert oci.layout_size(folder) == sum(file.stat().st_size for file in (folder / "blobs/sha256").iterdir())


def test_a_layer_holds_programs_links_and_their_folders_and_nothing_of_this_host(tmp_path: Path) -> None:
    _, layer = image(tmp_path)
    with tarfile.open(layer.path) as tar:
        members = {member.name: member for member in tar}
    assert list(members) == ["bin", "usr", "usr/bin", "bin/second", "usr/bin/tool", "bin/link"]
    assert members["bin/link"].linkname == "second"
    for member in members.values():
        assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
        assert member.mode == 0o755


def test_an_archive_writes_a_shared_layer_once_and_comes_apart_again(tmp_path: Path) -> None:
    config, layer = image(tmp_path / "a")
    _, other = image(tmp_path / "b", "other")
    both = oci.configuration([layer, other], ["/usr/bin/tool"])
    archive = tmp_path / "images.tar"
    oci.write_archive(archive, [
        oci.Tagged(["a:1", "a:2"], config, [layer]), oci.Tagged([], both, [layer, other]),
        oci.Tagged(["c:1"], config, [layer]),
    ])  # fmt: skip
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        raw = tar.extractfile("manifest.json")
        assert raw is not None
        manifest = json.load(raw)
    assert len(names) == len(set(names))
    assert sorted(name for name in names if name.endswith(".tar")) == sorted(
        f"{one.diff_id.removeprefix('sha256:')}.tar" for one in (layer, other)
    )
    assert [entry["RepoTags"] for entry in manifest] == [["a:1", "a:2"], [], ["c:1"]]
    assert len(manifest[1]["Layers"]) == 2
    first_config, [first] = oci.unpack_archive(archive, tmp_path / "apart")
    assert first_config == config
    assert first.diff_id == layer.diff_id


def test_an_archive_is_repeatable(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        config, layer = image(tmp_path / folder)
        oci.write_archive(tmp_path / folder / "image.tar", [oci.Tagged([], config, [layer])])
    assert (tmp_path / "a/image.tar").read_bytes() == (tmp_path / "b/image.tar").read_bytes()


@pytest.mark.parametrize("as_layout", [True, False])
def test_a_saved_image_loses_its_passing_tag(tmp_path: Path, *, as_layout: bool) -> None:
    config, layer = image(tmp_path / "a")
    into = tmp_path / "work" / "artifact"
    into.mkdir(parents=True)
    saved = into / "image.tar"
    oci.write_archive(saved, [oci.Tagged(["sluice.local/x:building"], config, [layer])])
    untagged(saved, into, as_layout)
    if as_layout:
        assert sorted(path.name for path in into.iterdir()) == ["oci"]
        [held] = oci.layout_layers(into / "oci")
        assert held.read_bytes() == layer.path.read_bytes()
    else:
        assert sorted(path.name for path in into.iterdir()) == ["image.tar"]
        assert b"building" not in saved.read_bytes()
    assert not (tmp_path / "work" / "layers").exists()


def laid_out(folder: Path, content: str = "v1") -> dict[str, Any]:
    """Components as lay_out wants them; images hold `name` below /usr/bin."""
    made = {}
    for name in tools.NAMES:
        path = folder / name
        path.mkdir(parents=True, exist_ok=True)
        if name in tools.IMAGES:
            (path / "tool").write_text(f"{name} {content}")
            layer = oci.write_layer(path / f"{content}.tar", {f"/usr/bin/{name}": path / "tool"})
            digest = oci.write_layout(path / content / "oci", oci.configuration([layer], [name]), [layer])
            made[name] = component(name, path / content, digest)
        else:
            (path / name).write_text(name)
            (path / "files").mkdir(exist_ok=True)
            made[name] = component(name, path)
    return made


def test_programs_of_images_are_taken_out_for_the_tests(tmp_path: Path) -> None:
    target = tmp_path / "tools"
    tools.lay_out(laid_out(tmp_path / "cache"), target)
    assert (target / "bin/loki").read_text() == "loki v1"
    assert os.access(target / "bin/loki", os.X_OK)
    assert (target / "bin/helm").resolve() == tmp_path / "cache/helm/helm"
    assert (target / "crds").resolve() == tmp_path / "cache/monitoring-crds/files"
    assert (target / "openapi").resolve() == tmp_path / "cache/kubernetes-openapi/files"


def test_laying_out_again_keeps_what_is_true_and_replaces_what_is_not(tmp_path: Path) -> None:
    target, cache = tmp_path / "tools", tmp_path / "cache"
    tools.lay_out(laid_out(cache), target)
    before = (target / "bin/loki").stat().st_ino
    tools.lay_out(laid_out(cache), target)
    assert (target / "bin/loki").stat().st_ino == before
    tools.lay_out(laid_out(cache, "v2"), target)
    assert (target / "bin/loki").read_text() == "loki v2"


def test_a_link_into_the_cache_is_not_written_through(tmp_path: Path) -> None:
    target, cache = tmp_path / "tools", tmp_path / "cache"
    kept = tmp_path / "kept"
    kept.write_text("of the cache")
    (target / "bin").mkdir(parents=True)
    (target / "bin/loki").symlink_to(kept)
    tools.lay_out(laid_out(cache), target)
    assert kept.read_text() == "of the cache"
    assert (target / "bin/loki").read_text() == "loki v1"


def test_an_image_without_its_program_is_told(tmp_path: Path) -> None:
    made = laid_out(tmp_path / "cache")
    made["loki"] = component("loki", Path(made["promtail"].path), made["promtail"].digest)
    with pytest.raises(SupplyError, match="the image of loki holds no program of that name"):
        tools.lay_out(made, tmp_path / "tools")
