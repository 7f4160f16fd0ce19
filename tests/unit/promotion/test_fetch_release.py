"""fetch_release: the signature first, then everything that does not fit, and no file out of its folder."""

import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.gate import stored_run
from tests.unit.gate.samples import OTHER_DIGEST
from tests.unit.promotion.proven import BACKEND, EVIDENCE, LOKI_IMAGE, VERDICT, archive, files_of, release_of

from sluice.domain import dump
from sluice.errors import EvidenceError, PromotionRefused, SignatureRefused
from sluice.promotion.release import FILES, digest_of
from sluice.steps.fetch_release import Fetched, fetch_release

pytestmark = pytest.mark.anyio
REFERENCE = f"localhost:5001/releases@sha256:{'e' * 64}"
CONTENT = archive({"helm/lib/gke.yaml": b"a: 1"}, {"helm/backend/values-gke.yaml": "../lib/gke.yaml"})


def artifact(content: bytes = CONTENT) -> dict[str, bytes]:
    """The files of a release that fits."""
    files = files_of(content=content)
    return {"release.json": dump(release_of(files)), **files}


async def fetch(files: Mapping[str, bytes], folder: Path, *, signed: bool = True) -> Fetched:
    done: list[str] = []

    async def verify(reference: str) -> None:
        done.append(f"verify {reference}")
        if not signed:
            raise SignatureRefused(f"{reference} is not signed", signed=False)

    async def pull(reference: str, into: Path) -> None:
        assert done == [f"verify {reference}"], "nothing is read before"
        for name, data in files.items():
            (into / name).write_bytes(data)

    return await fetch_release(REFERENCE, folder / "fetched", verify=verify, pull=pull)


async def test_one_that_fits_is_at_hand_with_its_charts(tmp_path: Path) -> None:
    fetched = await fetch(artifact(), tmp_path)
    assert fetched.release == release_of(files_of(content=CONTENT))
    assert (fetched.verdict, fetched.digest) == (VERDICT, f"sha256:{'e' * 64}")
    assert (fetched.content / "helm/lib/gke.yaml").read_text() == "a: 1"
    assert (fetched.content / "helm/backend/values-gke.yaml").is_symlink()
    assert (fetched.content / "helm/backend/values-gke.yaml").read_text() == "a: 1"
    assert await fetch(artifact(), tmp_path) == fetched, "and once more, over what is there"


async def test_its_images_may_lie_in_another_registry_under_the_same_digests(tmp_path: Path) -> None:
    fetched = (await fetch(artifact(), tmp_path)).at("r.example.org/acme")
    assert [image.reference for image in fetched.release.everything] == [
        f"r.example.org/acme/backend@{BACKEND.digest}",
        f"r.example.org/acme/loki@{LOKI_IMAGE.digest}",
    ]
    assert fetched.digest == f"sha256:{'e' * 64}", "what was signed stays what it is"
    assert fetched.release.files == release_of(files_of(content=CONTENT)).files


async def test_one_that_is_not_signed_is_not_even_read(tmp_path: Path) -> None:
    with pytest.raises(SignatureRefused):
        await fetch({}, tmp_path, signed=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
async def test_an_artifact_without_one_of_its_files_is_told(tmp_path: Path, name: str) -> None:
    files = artifact()
    del files[name]
    with pytest.raises(EvidenceError, match="is no release") as caught:
        await fetch(files, tmp_path)
    assert caught.value.seen == f"an artifact without {name}"


async def test_an_empty_artifact_is_told_all_that_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError) as caught:
        await fetch({}, tmp_path)
    assert caught.value.seen == f"an artifact without {', '.join(FILES)}"


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema": "sluice.release/v2"}', b"\xff"])
async def test_a_release_of_another_shape_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(EvidenceError, match=r"release\.json is not whole"):
        await fetch({**artifact(), "release.json": content}, tmp_path)


async def test_everything_that_does_not_fit_is_told_at_once_and_nothing_is_unpacked(tmp_path: Path) -> None:
    files = artifact()
    evidence = replace(EVIDENCE, images=(replace(BACKEND, digest=OTHER_DIGEST),), run_id="another")
    files |= {**files_of(evidence, content=CONTENT), "policy.toml": files["policy.toml"] + b"\n"}
    with pytest.raises(PromotionRefused, match=f"the release {EVIDENCE.run_id}: 6 reasons") as caught:
        await fetch(files, tmp_path)
    said = "\n".join(caught.value.mistakes)
    for name in ("verdict.json", "evidence.json", "policy.toml"):
        assert f"{name} is not the one that was released" in said
    assert "its verdict is of the run another" in said
    assert "says nothing of the image backend" in said
    assert f"its verdict is of {OTHER_DIGEST[:19]} too" in said
    assert not (tmp_path / "fetched" / "content").exists()


@pytest.mark.parametrize("name", ["policy.toml", "evidence.json"])
async def test_files_that_are_none_hide_no_other_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises(PromotionRefused) as caught:
        await fetch({**artifact(), name: b"[", "content.tar": b"x"}, tmp_path)
    said = [mistake.partition(":")[0] for mistake in caught.value.mistakes]
    assert said == [
        f"{name} is not the one that was released",
        "content.tar is not the one that was released",
        "its verdict cannot be computed again",
    ]


async def test_a_verdict_that_its_evidence_does_not_make_is_told(tmp_path: Path) -> None:
    files = files_of(replace(stored_run.evidence(), run_id=EVIDENCE.run_id), CONTENT)
    files["verdict.json"] = dump(VERDICT)
    with pytest.raises(PromotionRefused) as caught:
        await fetch({"release.json": dump(release_of(files)), **files}, tmp_path)
    [said] = caught.value.mistakes
    assert said.startswith("its evidence makes a verdict of warn")


def linked(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, target
        tar.addfile(entry)
    return out.getvalue()


async def test_charts_are_laid_out_with_their_links_in_place_of_what_was_there(tmp_path: Path) -> None:
    files = {"helm/lib/profiles/small.yaml": b"small", "helm/backend/Chart.yaml": b"name: backend"}
    content = archive(files, links={"helm/backend/profiles": "../lib/profiles"})
    left = tmp_path / "fetched" / "content" / "helm" / "left.yaml"
    left.parent.mkdir(parents=True)
    left.write_text("of a run that was killed")
    fetched = await fetch(artifact(content), tmp_path)
    assert (fetched.content / "helm" / "backend" / "profiles" / "small.yaml").read_bytes() == b"small"
    assert (fetched.content / "helm" / "backend" / "profiles").is_symlink()
    assert not left.exists()


@pytest.mark.parametrize(
    "content",
    [
        archive({"../outside": b"x"}),
        archive({"helm/../../../outside": b"x"}),
        archive({"/outside": b"x"}),
        archive(links={"helm/x": "/etc/passwd"}),
        archive(links={"helm/x": "../../../outside"}),
        archive(links={"helm/x": "y/../../outside"}),
        archive(links={"helm/x": "..", "helm/x/outside": "Chart.yaml"}),
        archive(links={"helm/x": "y", "helm/./x": "z"}),
        linked("helm/x", "../outside", tarfile.LNKTYPE),
        linked("helm/x", "", tarfile.CHRTYPE),
        b"no tar",
        b"",
        CONTENT[:700],
    ],
    ids=[
        "up",
        "up from below",
        "absolute",
        "link",
        "link up",
        "link down and up",
        "below a link",
        "twice",
        "hard link",
        "device",
        "no tar",
        "empty",
        "cut",
    ],
)
async def test_charts_that_would_leave_their_folder_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(EvidenceError, match=r"content\.tar cannot be unpacked") as caught:
        await fetch(artifact(content), tmp_path)
    assert caught.value.seen
    assert [path for path in tmp_path.rglob("*") if "outside" in path.name] == []
    assert digest_of(content) in artifact(content)["release.json"].decode(), "it was what had been signed"
