"""`sluice release`: from a passing run, a signed release."""

from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer

from sluice.bootstrap import Options, Toolbox
from sluice.entrypoints.console import Mode, answer, finish, home, progress, root, say, settings_of, show, shown
from sluice.release_tools import (
    builder_of,
    built_place,
    make_tools,
    release_signer,
    release_tools,
    releases_place,
    source_of,
)
from sluice.report.promotion import release_table
from sluice.run import Run
from sluice.steps.make_release import make_release, proven
from sluice.supply import artifact

FOLDER = "releases"


def release(
    run: Annotated[Path, typer.Option("--run", help="the folder of the run that proved it")] = Path(".sluice/latest"),
    supply: Annotated[Mode | None, typer.Option("--supply", help="where components come from")] = None,
    no_install: Annotated[
        bool, typer.Option("--no-install", help="never install or start a container engine on this host")
    ] = False,
) -> None:
    """From a passing run, a **release**: its images by digest, with SBOM, provenance, verdict and signatures.

    The run's verdict is computed again from its evidence; one of an edited tree, of a part of the tests or of a fail is
    none. Everything lies in the registry beside the images: done again, this does what is left. `[release]` in
    sluice.toml says which registry and who signs; without it this host's own, and a key made in .sluice/keys.
    """
    settings = settings_of(supply)

    async def work() -> int:
        proof = run.resolve()
        await anyio.to_thread.run_sync(proven, proof)  # before anything is built
        with progress() as shown_here:
            here = Run(home(settings) / "release-runs", shown_here)
            box = Toolbox(root(), settings, here, Options(may_install=not no_install))
            tools = await release_tools(box, here)
            places = await built_place(box), await releases_place(box)
            signer = await release_signer(root(), home(settings), settings, tools.cosign)
            source = await box.resolve_source()
            folder = home(settings) / FOLDER / proof.name
            folder.mkdir(parents=True, exist_ok=True)
            make = partial(
                make_release,
                proof,
                folder,
                source.services,
                make_tools(
                    root(), here, tools, places, signer, artifact.files(await box.supply.get("monitoring-crds"))
                ),
                builder=builder_of(),
                source=source_of(root()),
            )
            made = await here.step("make release", make, deadline_seconds=settings.deadlines.images)
        show(release_table(made.release), "")
        say(f"release {made.release.id}: {made.reference}")
        signed = f"signed by {signer}; a target takes it with {signer.trusted.needed}"
        show(signed.replace(f"{root()}/", ""))  # as a target of this tree names it
        show(f"files: {shown(folder)}   next: ./nox -s deploy -- --cloud local --dry-run")
        answer(release=made.release, reference=made.reference, files=shown(folder), signed_by=str(signer))
        return 0

    finish(work)
