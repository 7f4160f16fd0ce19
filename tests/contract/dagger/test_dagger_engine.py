"""The module on a real engine: it loads, it teaches, its images are those of the runtime docker, a cache is a cache."""

import json
import time
from pathlib import Path

import anyio
import pytest
from rich.console import Console
from tests.contract.dagger.conftest import ROOT, Call

from sluice.adapters.docker import engine as docker
from sluice.adapters.progress import shown_progress
from sluice.bootstrap import Options, Toolbox
from sluice.run import Run
from sluice.settings import load_settings

FUNCTIONS = (
    "build test lint types unit contract charts rules cluster e-2-e gate release deploy promote rollback status history"
)


def printed(call: Call, *words: str, tree: Path = ROOT) -> str:
    done = call(*words, tree=tree)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr[-6000:]}"
    return done.stdout


def test_dagger_functions_lists_them_all_with_a_line_each(call: Call) -> None:
    lines = printed(call, "functions").splitlines()
    for name in FUNCTIONS.split():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert len(line.split()) > 4, line


def test_help_says_what_each_argument_is(call: Call) -> None:
    text = " ".join(printed(call, "call", "deploy", "--help").split())
    for said in (
        "--target string The target: the name of its file",
        "--kubeconfig Secret A kubeconfig with the target's context",
        "--release string Its id; without one the newest",
        "--dry-run Change nothing",
    ):
        assert said in text


def test_dagger_check_lists_the_checks(call: Call) -> None:
    listed = printed(call, "check", "--list")
    for name in ("lint", "types", "unit", "contract", "charts", "rules"):
        assert f"sluice:{name}" in listed.split()


def test_dagger_check_runs_a_check(call: Call) -> None:
    done = call("check", "lint")
    assert done.returncode == 0, done.stderr[-6000:]
    assert "All checks passed!" in done.stderr


def test_the_images_are_those_that_docker_builds(call: Call, tmp_path: Path) -> None:
    if not anyio.run(docker.answers):
        pytest.skip("needs a running Docker beside the engine, to compare with")
    printed(call, "call", "build", "export", "--path", str(tmp_path / "images"))
    built = json.loads((tmp_path / "images" / "images.json").read_text())["images"]
    assert {one["name"]: one["digest"] for one in built} == anyio.run(_by_docker, tmp_path / "run")


async def _by_docker(folder: Path) -> dict[str, str]:
    with shown_progress(Console(stderr=True)) as progress:
        box = Toolbox(ROOT, load_settings(ROOT), Run(folder, progress), Options(may_install=False))
        images = await box.build_images(await box.resolve_source())
    return {image.name: image.digest for image in images.images}


def test_a_second_build_builds_nothing_and_a_changed_service_builds(call: Call, tree: Path) -> None:
    source = next((tree / "services" / "backend" / "src").rglob("service.py"))
    with source.open("a") as file:
        file.write(f"\n# {time.time_ns()}\n")  # so that no earlier session built this
    first, second = (call("call", "build", "file", "--path", "images.json", "contents", tree=tree) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr[-6000:] + second.stderr[-6000:]
    assert "backend: building" in first.stderr
    # An engine on a disk that is four fifths full keeps nothing that nobody uses: then this fails, and rightly.
    assert "backend: building" not in second.stderr, "answered from the cache, it says nothing of building"
    assert json.loads(first.stdout) == json.loads(second.stdout)
