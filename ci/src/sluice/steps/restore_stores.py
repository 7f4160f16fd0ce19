"""A store out of its back-up, onto a cluster that has nothing of it yet."""

from collections.abc import Mapping
from typing import Any

from sluice.domain import Image
from sluice.errors import RecoveryError
from sluice.steps.install_charts import Installer
from sluice.steps.install_fixtures import APPLIED
from sluice.steps.keep_backups import JobRunner, Kept
from sluice.steps.resolve_source import FIXTURES


async def restore_store(
    installer: Installer, jobs: JobRunner, one: Kept, images: Mapping[str, Image], *, deadline_seconds: float
) -> dict[str, Any]:
    """Restore it into the volume that its StatefulSet will find, and return what was restored.

    Raises RecoveryError where the repository is not whole, the key is another's, or there is something already.
    """
    applied = await installer.manifests.apply_for_service(
        installer.root / FIXTURES / one.restore,
        images,
        one.namespace,
        service=one.name,
        label=(APPLIED, f"restore-{one.name}"),
    )
    made = [workload.removeprefix("Job/") for workload in applied if workload.startswith("Job/")]
    if len(made) != 1:
        raise RecoveryError(
            f"{FIXTURES}/{one.restore} restores nothing",
            seen=", ".join(applied) or "nothing that runs",
            expected="one Job",
            next_command=f"kubectl kustomize {FIXTURES}/{one.restore}",
        )
    return await jobs.ended(one.namespace, made[0], deadline_seconds=deadline_seconds)
