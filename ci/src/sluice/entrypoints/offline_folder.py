"""`sluice supply --offline DIR`: what a Dagger engine that reaches no container registry starts from."""

from functools import partial
from pathlib import Path

from sluice.adapters.dagger_engine.offline import lay_out
from sluice.bootstrap import Toolbox
from sluice.entrypoints.console import shown
from sluice.ports import Progress
from sluice.run import Run
from sluice.steps.resolve_source import BUILD_LOCK, own_or_common
from sluice.supply.wheels import wheelhouse

TOOLBOX = "toolbox"  # what no other command obtains
_LOCK = Path("requirements", "sluice.txt")
_SERVICES_LOCK = "requirements.lock"


async def lay_out_offline(box: Toolbox, run: Run, progress: Progress, target: Path) -> None:
    """Fill a folder anew with all that docs/dagger.md says; components that this host has not yet are obtained.

    Raises what obtaining them raises, and SourceError for services that are not whole.
    """
    toolbox = await box.supply.get(TOOLBOX)
    wheels = partial(wheelhouse, cache=box.supply.cache, progress=progress, logs=run.logs)
    source = await box.resolve_source()
    locks = {own_or_common(box.root, service, _SERVICES_LOCK) for service in source.services}
    houses = [await wheels(lock) for lock in sorted({*locks, box.root / "services" / BUILD_LOCK})]
    supply = Path(toolbox.path).parents[2]
    await lay_out(target, toolbox=toolbox, wheels=await wheels(box.root / _LOCK), supply=supply, also=houses)


def how_to_use(target: Path) -> str:
    """Return where the folder is named, for each of the two programs that start from it."""
    return (
        f"./dagger starts from it with SLUICE_OFFLINE={shown(target)} in .env, "
        f"./nox -s e2e -- --runtime dagger with SLUICE_RUN_OFFLINE={shown(target)}"
    )
