"""make_release: what a run proves, signed part by part; done again it does what is left, and gives the same bytes."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.gate.samples import OTHER_DIGEST
from tests.unit.promotion.proven import (
    BACKEND,
    EVIDENCE,
    LOKI_IMAGE,
    SERVICES,
    VERDICT,
    Workbench,
    archive,
    write_run,
)

from sluice.domain import Evidence, Image
from sluice.errors import EvidenceError
from sluice.promotion.release import FILES, Release, digest_of
from sluice.steps.make_release import bundle, proven

pytestmark = pytest.mark.anyio


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


async def test_a_run_that_passed_proves_what_it_says(run: Path) -> None:
    assert proven(run) == (EVIDENCE, VERDICT)


async def test_an_edited_verdict_is_no_proof(tmp_path: Path) -> None:
    edited = write_run(tmp_path / "a", verdict=replace(VERDICT, score=VERDICT.score - 1))
    with pytest.raises(EvidenceError, match=f"no release can be made of the run {EVIDENCE.run_id}") as caught:
        proven(edited)
    assert caught.value.seen == "its verdict is not what its evidence and its policy come to"
    forged = write_run(tmp_path / "b", replace(EVIDENCE, failures=("the cluster died",)), VERDICT)
    with pytest.raises(EvidenceError) as caught:
        proven(forged)
    assert "its verdict is fail" in caught.value.seen, "it is the computed one that counts"


async def test_all_that_a_run_lacks_is_told_at_once(tmp_path: Path) -> None:
    lacking = replace(EVIDENCE, dirty=True, partial="suites api", images=(), revision="")
    with pytest.raises(EvidenceError) as caught:
        proven(write_run(tmp_path / "run", lacking))
    said = caught.value.seen.split("; ")
    assert len(said) == 5
    assert caught.value.next_command == "commit, then ./nox -s e2e"


@pytest.mark.parametrize("name", ["evidence.json", "verdict.json"])
async def test_a_run_without_its_files_is_told(run: Path, name: str) -> None:
    (run / name).write_text('{"schema":')
    with pytest.raises(EvidenceError, match=f"{name} is not whole"):
        proven(run)
    (run / name).unlink()
    with pytest.raises(EvidenceError, match=f"{name} cannot be read"):
        proven(run)


async def test_a_release_binds_what_the_run_proved(bench: Workbench, run: Path) -> None:
    made = await bench.make(run)
    assert made.release.images == (BACKEND,)
    assert made.release.components == (LOKI_IMAGE,), "helm is no image that a chart installs"
    assert made.release.services == SERVICES
    assert (made.release.id, made.release.revision) == (EVIDENCE.run_id, EVIDENCE.revision)
    assert (made.release.level, made.release.score) == ("pass", 100.0)
    assert bench.revisions == [EVIDENCE.revision], "not what the tree holds now"
    assert tuple(bench.pushed) == FILES
    assert made.release.files == {
        name: digest_of(data) for name, data in bench.pushed.items() if name != "release.json"
    }
    assert bench.pushed["evidence.json"] == (run / "evidence.json").read_bytes()


async def test_the_image_is_attested_and_signed_and_then_the_release(bench: Workbench, run: Path) -> None:
    made = await bench.make(run)
    assert bench.done == [
        f"attested cyclonedx {BACKEND.reference}",
        f"attested slsaprovenance1 {BACKEND.reference}",
        f"signed {BACKEND.reference}",
        f"pushed {EVIDENCE.run_id}",
        f"signed {made.reference}",
    ]
    assert "@sha256:" in made.reference
    assert json.loads(bench.predicates["cyclonedx"])["bomFormat"] == "CycloneDX"
    predicate = json.loads(bench.predicates["slsaprovenance1"])
    assert predicate["runDetails"]["builder"] == {"id": "https://ci"}, "the predicate alone: cosign adds the subject"
    assert predicate["buildDefinition"]["externalParameters"]["source"] == "git+https://example.org/tree"


async def test_made_twice_it_is_the_same_and_nothing_is_signed_twice(bench: Workbench, run: Path) -> None:
    first = await bench.make(run)
    bench.done.clear()
    assert await bench.make(run) == first
    assert bench.done == [f"pushed {EVIDENCE.run_id}"], "a push of the same is nothing new"


@pytest.mark.parametrize("step", range(5))
async def test_one_that_was_killed_does_what_is_left(bench: Workbench, run: Path, step: int) -> None:
    other = Workbench(bench.folder / "other")
    await other.make(run)
    bench.killed_at = other.done[step]
    with pytest.raises(InterruptedError):
        await bench.make(run)
    bench.killed_at = ""
    made = await bench.make(run)
    # What was there when it was killed, then the rest: each once.
    assert bench.done[:step] == other.done[:step]
    assert sorted(bench.done) == sorted([*other.done, *([f"pushed {EVIDENCE.run_id}"] if step == 4 else [])])
    assert f"signed {made.reference}" in bench.there


async def test_an_image_that_the_registry_lost_is_told_before_anything_is_signed(bench: Workbench, run: Path) -> None:
    bench.lost = frozenset({"backend", "loki"})
    with pytest.raises(EvidenceError, match="the registry does not hold what the run proved") as caught:
        await bench.make(run)
    assert caught.value.seen == f"backend {BACKEND.digest[:19]}, loki {LOKI_IMAGE.digest[:19]}"
    assert bench.done == []


@pytest.mark.parametrize(
    ("services", "evidence", "name"),
    [
        ((*SERVICES, replace(SERVICES[0], name="sync")), EVIDENCE, "sync"),
        (SERVICES, replace(EVIDENCE, images=(BACKEND, Image("audit", "r/audit", BACKEND.digest))), "audit"),
    ],
)
async def test_a_tree_with_other_services_than_the_run_had_is_told(
    bench: Workbench, tmp_path: Path, services: tuple[object, ...], evidence: Evidence, name: str
) -> None:
    with pytest.raises(EvidenceError, match="other services than the run") as caught:
        await bench.make(write_run(tmp_path / "run", evidence), services)  # type: ignore[arg-type]
    assert caught.value.seen == f"only one of them has {name}"
    assert bench.done == []


async def test_components_lie_beside_the_images_in_whatever_path(bench: Workbench, tmp_path: Path) -> None:
    deep = replace(BACKEND, repository="ghcr.io/acme/sluice/backend", digest=OTHER_DIGEST)
    made = await bench.make(write_run(tmp_path / "run", replace(EVIDENCE, images=(deep,))))
    assert [image.repository for image in made.release.components] == ["ghcr.io/acme/sluice/loki"]
    assert isinstance(made.release, Release)


def entries(tar: bytes) -> list[tuple[str, str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return [
            (one.name, one.linkname, (opened.extractfile(one) or io.BytesIO()).read() if one.isfile() else b"")
            for one in opened.getmembers()
        ]


async def test_a_bundle_has_charts_with_their_links_and_the_definitions(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.yaml").write_text("kind: A")
    (tmp_path / "b.yaml").write_text("kind: B")
    given = archive({"helm/x/Chart.yaml": b"name: x"}, {"helm/x/values-gke.yaml": "../lib/gke.yaml"})
    assert entries(bundle(given, tmp_path)) == [
        ("helm/x/Chart.yaml", "", b"name: x"),
        ("helm/x/values-gke.yaml", "../lib/gke.yaml", b""),
        ("crds/b.yaml", "", b"kind: B"),
        ("crds/deep/a.yaml", "", b"kind: A"),
    ]


async def test_a_bundle_is_the_same_bytes_on_another_day_and_in_another_order(tmp_path: Path) -> None:
    crd = tmp_path / "a.yaml"
    crd.write_text("kind: A")
    files, links = {"helm/b": b"b", "helm/a": b"a"}, {"helm/c": "a"}
    first = bundle(archive(files, links), tmp_path)
    crd.chmod(0o600)
    backwards = dict(reversed(files.items()))
    assert bundle(archive(backwards, links, mtime=1_700_000_001), tmp_path) == first
    assert bundle(archive({**files, "helm/a": b"A"}, links), tmp_path) != first
    with tarfile.open(fileobj=io.BytesIO(first)) as opened:
        assert {(one.mtime, one.uid, one.uname) for one in opened.getmembers()} == {(0, 0, "")}
