"""What `dagger call build` runs in the toolbox: the images step by the engine, into a folder.

python -m sluice.entrypoints.engine_build FOLDER
"""

import shutil
import sys
import tempfile
from pathlib import Path

import anyio
from rich.console import Console

from sluice.adapters.dagger_engine.builder import EngineBuilder, into_folder
from sluice.adapters.dagger_engine.session import session
from sluice.adapters.progress import shown_progress
from sluice.bootstrap import Options, Toolbox
from sluice.domain import Images, dump
from sluice.errors import SluiceError
from sluice.pipeline import leaves
from sluice.run import Run
from sluice.settings import load_settings
from sluice.steps.build_images import build_images
from sluice.supply import artifact
from sluice.supply.wheels import wheelhouse


async def work(root: Path, target: Path) -> Images:
    """Build every service's image into `target`, beside an images.json that names them."""
    settings = load_settings(root)
    with shown_progress(Console(stderr=True, width=150)) as progress, tempfile.TemporaryDirectory() as scratch:
        run = Run(Path(scratch), progress)
        tools = Toolbox(root, settings, run, Options())
        source = await tools.resolve_source()
        base, crane = await tools.supply.get_all("python", "crane")
        async with session() as client:
            builder = EngineBuilder(
                client, into_folder(target), work=Path(scratch) / "images", crane=artifact.program(crane),
                bases={artifact.engine_tag(base): artifact.archive(base)},
                say=lambda text: progress.update("build images", text),
            )  # fmt: skip
            images = await build_images(
                source, builder=builder, base=artifact.engine_tag(base), registry="",
                staging=settings.cache / "staging",
                wheelhouse=lambda lock: wheelhouse(lock, tools.supply.cache, progress, run.logs),
            )  # fmt: skip
    (target / "images.json").write_bytes(dump(images))
    return images


def main() -> None:
    """Build into the folder that the command line names; exit status 2 where that could not be done."""
    target = Path(sys.argv[1])
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    try:
        images = anyio.run(work, Path.cwd(), target)
    except* SluiceError as group:
        for error in leaves(group):
            print(f"✗ {error}", file=sys.stderr)
        sys.exit(2)
    for image in images.images:
        print(f"{image.name}@{image.digest}")


if __name__ == "__main__":
    main()
