"""Back-ups of a cluster: its repositories' Secrets, the CronJobs that fill them, and a first back-up of everything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sluice.domain import Image
from sluice.recovery.keys import Keys, Store, files_secret, postgresql_secret
from sluice.settings import NamespaceSettings
from sluice.steps.install_charts import Installer
from sluice.steps.install_fixtures import APPLIED
from sluice.steps.resolve_source import FIXTURES

IMAGES = ("backup-tools", "postgresql")
_BACKUP_SECONDS = 300.0


@dataclass(frozen=True)
class Kept:
    """A store that is backed up: by which CronJob of which namespace, and in which file its restore is."""

    name: str
    namespace: str
    cronjob: str
    restore: str


class JobRunner(Protocol):
    """Knows how to start a CronJob's work before its time, and to wait for a Job."""

    async def start_from(self, namespace: str, cronjob: str, name: str) -> None:
        """Start it under a name."""
        ...

    async def ended(self, namespace: str, name: str, *, deadline_seconds: float) -> dict[str, Any]:
        """Return what it said last; raises RecoveryError where it failed."""
        ...


def everything(spaces: NamespaceSettings) -> tuple[Kept, ...]:
    """Return all stores of a cluster, in the order of need: what others cannot start without comes first."""
    return (
        Kept("postgresql", spaces.services, "backup-postgresql", "backup/restore-postgresql.yaml"),
        Kept("kafka", spaces.services, "backup-kafka", "backup/restore-kafka.yaml"),
        Kept("ledger", spaces.services, "backup-ledger", "backup/restore-ledger.yaml"),
        Kept("loki", spaces.logging, "backup-loki", "backup-logging/restore.yaml"),
        Kept("prometheus", spaces.monitoring, "backup-prometheus", "backup-monitoring/restore.yaml"),
    )


async def give_repositories(installer: Installer, spaces: NamespaceSettings, keys: Keys, store: Store) -> None:
    """Make the repositories' Secrets; before PostgreSQL starts, which archives only if they are there then."""
    manifests = installer.manifests
    await manifests.ensure_secret("postgresql-repository", spaces.services, postgresql_secret(keys, store))
    for namespace in (spaces.services, spaces.logging, spaces.monitoring):
        await manifests.ensure_secret("file-repository", namespace, files_secret(keys, store))


async def schedule(installer: Installer, spaces: NamespaceSettings, images: Mapping[str, Image]) -> None:
    """Put the CronJobs on the cluster."""
    folders = {"backup": spaces.services, "backup-logging": spaces.logging, "backup-monitoring": spaces.monitoring}
    for folder, namespace in folders.items():
        await installer.manifests.apply_fixture(
            installer.root / FIXTURES / folder, images, namespace, label=(APPLIED, folder)
        )


async def back_up(jobs: JobRunner, spaces: NamespaceSettings, name: str) -> dict[str, dict[str, Any]]:
    """Back everything up now, one after the other, and return what each told. `name` ends the Jobs' names.

    One after the other: the repository of files has one lock for those that prune it.
    """
    told = {}
    for one in everything(spaces):
        job = f"{one.cronjob}-{name}"
        await jobs.start_from(one.namespace, one.cronjob, job)
        told[one.name] = await jobs.ended(one.namespace, job, deadline_seconds=_BACKUP_SECONDS)
    return told
