"""The same revision built twice, with nothing kept of the first time and in another folder: the same digest."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.promotion.workspace import Workspace, git, image_of

from sluice.adapters.docker.builder import DockerBuilder
from sluice.adapters.progress import shown_progress
from sluice.bootstrap import Options, Toolbox
from sluice.domain import Evidence, load
from sluice.entrypoints.console import err
from sluice.run import Run
from sluice.settings import load_settings
from sluice.steps import build_images
from sluice.supply import artifact
from sluice.supply.cache import Cache
from sluice.supply.wheels import wheelhouse
from sluice.supply.workbench import in_engine

pytestmark = pytest.mark.anyio


async def test_a_revision_built_again_elsewhere_gives_the_digest_that_was_proven(
    workspace: Workspace, tmp_path: Path
) -> None:
    proven = load(Evidence, workspace.base / "evidence.json")
    tree = tmp_path / "elsewhere"
    git(workspace.tree, "clone", "--quiet", str(workspace.tree), str(tree))
    git(tree, "checkout", "--quiet", "--detach", proven.revision)
    settings = load_settings(tree)
    with shown_progress(err) as progress:
        run = Run(tmp_path / "runs", progress)
        box = Toolbox(tree, settings, run, Options())
        registry, engine = await box.registry(), await box.engine()
        base, crane = await box.supply.get_all("python", "crane")
        builder = DockerBuilder(
            engine,
            registry,
            artifact.program(crane),
            base=await in_engine(engine, base),
            work=tmp_path / "work",
            logs=run.logs,
            say=partial(progress.update, "build again"),
            cached=False,
        )
        source = await box.resolve_source()
        again = await build_images.build_images(
            replace(source, services=tuple(one for one in source.services if one.name == "backend")),
            builder=builder,
            staging=tmp_path / "staging",
            base=artifact.engine_tag(base),
            registry=f"{registry.host}/again",
            wheelhouse=lambda lock: wheelhouse(lock, Cache(settings.cache), progress, run.logs),
        )
    log = (run.logs / "image-backend.log").read_text()
    assert "Using cache" not in log, "what was kept would prove nothing"
    assert again.images[0].digest == image_of(proven.images, "backend").digest
