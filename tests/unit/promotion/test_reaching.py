"""Reaching a target: one context of its kubeconfig, in a file of our own that is gone afterwards."""

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.core.support import FakeProgress
from tests.unit.promotion.worlds import LOCAL

from sluice import reaching
from sluice.domain import Component
from sluice.errors import ClusterError, CommandFailed
from sluice.reaching import reach
from sluice.run import Run

pytestmark = pytest.mark.anyio
KUBECTL = """#!/bin/sh
[ -e "$KUBECONFIG" ] || { echo "error: context \\"$7\\" does not exist" >&2; exit 1; }
echo "$KUBECONFIG: $*"
"""
NEAR = replace(LOCAL, cluster=replace(LOCAL.cluster, kubeconfig="kubeconfig", context="near"))
FAR = replace(NEAR, name="far", cluster=replace(NEAR.cluster, context="far"))


@pytest.fixture
def box(tmp_path: Path) -> Any:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").write_text(KUBECTL)
    (tmp_path / "bin" / "kubectl").chmod(0o755)
    (tmp_path / "kubeconfig").write_text("with a token")

    async def get_all(*names: str) -> list[Component]:
        return [Component(name, "1", "source", "sha256:1", str(tmp_path / "bin"), 0, 0.0) for name in names]

    return SimpleNamespace(root=tmp_path, supply=SimpleNamespace(get_all=get_all))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "promotions", FakeProgress())


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The kubeconfigs that were connected by; `far` does not answer."""
    found: list[Path] = []

    @asynccontextmanager
    async def connect(kubeconfig: Path) -> AsyncIterator[None]:
        found.append(kubeconfig)
        if "--context far" in kubeconfig.read_text():
            raise ClusterError("the API server of far does not answer")
        yield

    monkeypatch.setattr(reaching, "connect", connect)
    return found


def left(run: Run) -> list[Path]:
    return [path for path in run.folder.rglob("*") if path.is_file() and "kubeconfig" in path.name]


async def test_every_program_is_given_the_one_context_and_nobody_else_may_read_it(
    tmp_path: Path, box: Any, run: Run, connected: list[Path]
) -> None:
    nothing: Any = None
    async with reach(box, tmp_path, run, NEAR, nothing) as there:
        [kubeconfig] = connected
        given = "config view --raw --minify --flatten --context near"
        assert kubeconfig.read_text().strip() == f"{tmp_path / 'kubeconfig'}: {given}"
        assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
        assert there.target == NEAR
    assert left(run) == []


async def test_nothing_is_left_of_one_that_cannot_be_reached(tmp_path: Path, box: Any, run: Run) -> None:
    nothing: Any = None
    with pytest.raises(ClusterError, match="of far does not answer"):
        async with reach(box, tmp_path, run, FAR, nothing):
            pass
    assert left(run) == []


async def test_a_context_that_there_is_not_is_told_with_the_target(tmp_path: Path, box: Any, run: Run) -> None:
    nothing: Any = None
    (tmp_path / "kubeconfig").unlink()
    with pytest.raises(CommandFailed, match="reading the context near of local") as caught:
        async with reach(box, tmp_path, run, NEAR, nothing):
            pass
    assert 'context "near" does not exist' in caught.value.seen
    assert caught.value.next_command == "./nox -s doctor -- --target local"


async def test_to_ask_another_target_in_between_takes_nothing_away(
    tmp_path: Path, box: Any, run: Run, connected: list[Path]
) -> None:
    nothing: Any = None
    async with reach(box, tmp_path, run, NEAR, nothing) as there:
        (there.work / "release").write_text("fetched")
        async with reach(box, tmp_path, run, replace(NEAR, name="staging"), nothing):
            assert len({*connected}) == 2
        assert (there.work / "release").read_text() == "fetched"
        assert connected[0].is_file()
    assert left(run) == []


async def test_what_a_killed_run_left_is_taken_away_and_what_is_at_work_stays(
    tmp_path: Path, box: Any, run: Run
) -> None:
    nothing: Any = None
    works = Run(tmp_path / "promotions", FakeProgress())
    killed = run.folder.with_name("killed")
    for folder in (works.folder, killed):
        (folder / "work" / "local").mkdir(parents=True)
        (folder / "work" / "local" / "kubeconfig").write_text("with a token")
    async with reach(box, tmp_path, run, NEAR, nothing):
        pass
    assert not (killed / "work").exists()
    assert left(works) != []
