"""An image says nothing of the day it was built on: other times, order and owners' names, and the same digest."""

import json
import os
import tarfile
from collections.abc import Collection, Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.unit.supply.images import SOURCES, Built, Day, File, built

from sluice.supply import oci
from sluice.supply.repeatable import Layers, settled_configuration

WEEK = 7 * 86_400
FIRST = Day()


def layout(folder: Path, image: Built, base: Collection[str] = ()) -> str:
    """The digest of an image whose layers were settled one by one."""
    layers, found = Layers(folder / "layers"), []
    folder.mkdir(exist_ok=True)
    for number, (raw, diff_id) in enumerate(zip(image.layers, image.diff_ids, strict=True)):
        kept = diff_id in base
        (folder / f"layer{number}").write_bytes(raw)
        found.append(layers.find(diff_id, kept=kept) or layers.settle(folder / f"layer{number}", diff_id, kept=kept))
    return oci.write_layout(folder / "oci", settled_configuration(image.config, found), found)


def digest(folder: Path, layers: Iterable[Iterable[File]], day: Day = FIRST, **run: Any) -> str:
    return layout(folder, built(layers, day, **run))


@pytest.mark.parametrize(
    "day",
    [
        Day(time=1_800_000_000),
        Day(owner="daemon"),
        Day(created="2027-01-01T00:00:00Z"),
        Day(packed=True),
        Day(time=1.5, owner="x", created="2030-01-01T00:00:00Z", packed=True),
    ],
)
def test_the_same_content_is_the_same_image_on_another_day(tmp_path: Path, day: Day) -> None:
    assert digest(tmp_path / "b", [SOURCES], day) == digest(tmp_path / "a", [SOURCES])


def test_the_order_in_which_a_builder_met_files_does_not_matter(tmp_path: Path) -> None:
    files = [one for one in SOURCES if one.kind != tarfile.LNKTYPE]
    assert digest(tmp_path / "b", [files], Day(backwards=True)) == digest(tmp_path / "a", [files])


@pytest.mark.parametrize(
    "other",
    [
        [*SOURCES, File("app/new.py")],
        SOURCES[:-1],
        [*SOURCES[:1], replace(SOURCES[1], content=b"print(2)"), *SOURCES[2:]],
        [*SOURCES[:1], replace(SOURCES[1], mode=0o755), *SOURCES[2:]],
        [*SOURCES[:1], replace(SOURCES[1], uid=1), *SOURCES[2:]],
        [*SOURCES[:3], replace(SOURCES[3], link="other.py"), *SOURCES[4:]],
    ],
)
def test_other_content_is_another_image(tmp_path: Path, other: list[File]) -> None:
    assert digest(tmp_path / "b", [other]) != digest(tmp_path / "a", [SOURCES])


def test_how_it_is_run_is_of_the_image(tmp_path: Path) -> None:
    assert digest(tmp_path / "b", [SOURCES], Env=["A=2"]) != digest(tmp_path / "a", [SOURCES])


def test_a_layer_keeps_its_files_links_owners_and_attributes(tmp_path: Path) -> None:
    digest(tmp_path, [[*SOURCES, File("bin/ping", b"p", mode=0o4755, uid=7)]], Day(backwards=False))
    [path] = oci.layout_layers(tmp_path / "oci")
    with tarfile.open(path) as tar:
        found = {member.name: member for member in tar}
        assert tar.extractfile("app/a-second-name").read() == b"print(1)"  # type: ignore[union-attr]
    assert set(found) == {file.name for file in SOURCES} | {"bin/ping"}
    assert (found["bin/ping"].mode, found["bin/ping"].uid) == (0o4755, 7)
    assert found["app/link"].linkname == "main.py"
    assert found["app/main.py"].pax_headers == {"SCHILY.xattr.user.note": "kept"}
    assert {(member.mtime, member.uname) for member in found.values()} == {(0, "")}


def test_the_configuration_says_how_to_run_it_and_nothing_of_its_making(tmp_path: Path) -> None:
    digest(tmp_path, [SOURCES])
    [layer] = oci.layout_layers(tmp_path / "oci")
    blobs = tmp_path / "oci/blobs/sha256"
    [config] = [
        json.loads(path.read_bytes())
        for path in blobs.iterdir()
        if path != layer and b'"rootfs"' in path.read_bytes()
    ]  # fmt: skip
    assert config == {
        "architecture": "amd64", "os": "linux",
        "config": {"Env": ["A=1"], "Entrypoint": ["python3"], "User": "65532"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.name}"]},
    }  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
def test_layers_of_the_base_stay_as_they_are(tmp_path: Path, packed: bool) -> None:
    image = built([[File("etc/os")], SOURCES], Day(packed=packed))
    layout(tmp_path, image, base=image.diff_ids[:1])
    base, own = oci.layout_layers(tmp_path / "oci")
    assert f"sha256:{base.name}" == image.diff_ids[0]
    assert f"sha256:{own.name}" != image.diff_ids[1]
    for path in (base, own):
        assert sha256(path.read_bytes()).hexdigest() == path.name


def test_a_layer_that_was_settled_before_is_found_and_a_kept_one_is_another(tmp_path: Path) -> None:
    layers = Layers(tmp_path / "layers")
    image = built([SOURCES], FIRST)
    [diff_id] = image.diff_ids
    for kept in (False, True):
        assert layers.find(diff_id, kept=kept) is None
        (tmp_path / "layer").write_bytes(image.layers[0])
        made = layers.settle(tmp_path / "layer", diff_id, kept=kept)
        assert layers.find(diff_id, kept=kept) == made
        assert (made.diff_id == diff_id) is kept
        assert made.size_bytes == made.path.stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layers"]


def test_layers_that_no_build_used_for_a_week_are_forgotten(tmp_path: Path) -> None:
    image = built([[File("etc/os")], SOURCES], FIRST)
    layout(tmp_path, image)
    layers = Layers(tmp_path / "layers")
    old, new = sorted((tmp_path / "layers").iterdir())
    os.utime(old, (old.stat().st_mtime - WEEK - 60,) * 2)
    layers.forget()
    assert list((tmp_path / "layers").iterdir()) == [new]
    os.utime(new, (new.stat().st_mtime - WEEK - 60,) * 2)
    assert layers.find(f"sha256:{new.name.partition('-')[0]}", kept=False)
    layers.forget()
    assert list((tmp_path / "layers").iterdir()) == [new]


def test_what_is_no_layer_is_refused_and_leaves_no_layer(tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(b"<html>")
    with pytest.raises(tarfile.TarError):
        Layers(tmp_path / "layers").settle(tmp_path / "layer", "sha256:1", kept=False)
    assert list((tmp_path / "layers").iterdir()) == []
