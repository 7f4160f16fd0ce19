"""Steps of back-ups: in which order, with which Secrets, and what is told of a restore that cannot be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sluice.domain import Image
from sluice.errors import RecoveryError
from sluice.recovery.keys import Keys, Store
from sluice.settings import NamespaceSettings
from sluice.steps.install_charts import Installer, values_in
from sluice.steps.keep_backups import back_up, everything, give_repositories, schedule
from sluice.steps.restore_stores import restore_store

pytestmark = pytest.mark.anyio
SPACES = NamespaceSettings()
KEYS, STORE = Keys("a", "s", "p", "f"), Store("store", 7070, "CA")


@dataclass
class Manifests:
    """Implements steps.install_charts.Manifests: what was applied, and which Secrets were made."""

    workloads: tuple[str, ...] = ()
    applied: list[tuple[str, str]] = field(default_factory=list)
    secrets: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)

    async def apply(self, path: Path, *, server_side: bool = True) -> None:
        raise AssertionError(path)

    async def apply_fixture(
        self, folder: Path, images: Mapping[str, Image], namespace: str, *, label: tuple[str, str]
    ) -> tuple[str, ...]:
        self.applied.append((folder.name, namespace))
        return self.workloads

    async def apply_for_service(
        self, file: Path, images: Mapping[str, Image], namespace: str, *, service: str, label: tuple[str, str]
    ) -> tuple[str, ...]:
        self.applied.append((file.name, namespace))
        return self.workloads

    async def ensure_secret(
        self, name: str, namespace: str, values: Mapping[str, str], *, kind: str = "Opaque"
    ) -> None:
        self.secrets[namespace, name] = values


class FakeJobs:
    """Implements JobRunner: a Job may be started only when the one before has ended."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def start_from(self, namespace: str, cronjob: str, name: str) -> None:
        self.done.append(f"start {namespace}/{cronjob} {name}")

    async def ended(self, namespace: str, name: str, *, deadline_seconds: float) -> dict[str, Any]:
        self.done.append(f"end {namespace}/{name}")
        return {"name": name}


def installer(manifests: Manifests) -> Installer:
    async def rolled_out(namespace: str, **_: Any) -> None:
        raise AssertionError("a CronJob is not rolled out")

    return Installer(Path("/x"), None, manifests, rolled_out, values_in(Path("/x")))  # type: ignore[arg-type]


async def test_each_namespace_gets_what_opens_its_repositories() -> None:
    manifests = Manifests()
    await give_repositories(installer(manifests), SPACES, KEYS, STORE)
    assert sorted(manifests.secrets) == [
        ("default", "file-repository"),
        ("default", "postgresql-repository"),
        ("logging", "file-repository"),
        ("monitoring", "file-repository"),
    ]


async def test_the_schedule_is_put_where_the_stores_are() -> None:
    manifests = Manifests()
    await schedule(installer(manifests), SPACES, {})
    assert {namespace for _, namespace in manifests.applied} == {one.namespace for one in everything(SPACES)}


async def test_everything_is_backed_up_one_after_the_other() -> None:
    jobs = FakeJobs()
    told = await back_up(jobs, SPACES, "1a2b")
    assert list(told) == [one.name for one in everything(SPACES)]
    assert jobs.done[:2] == [
        "start default/backup-postgresql backup-postgresql-1a2b",
        "end default/backup-postgresql-1a2b",
    ]
    assert [word.split()[0] for word in jobs.done] == ["start", "end"] * len(told)


async def test_a_restore_is_the_one_job_of_its_file() -> None:
    kafka = everything(SPACES)[1]
    manifests, jobs = Manifests(("Job/restore-kafka-1",)), FakeJobs()
    told = await restore_store(installer(manifests), jobs, kafka, {}, deadline_seconds=1)
    assert told == {"name": "restore-kafka-1"}
    assert manifests.applied == [("restore-kafka.yaml", "default")]
    with pytest.raises(RecoveryError) as caught:
        await restore_store(installer(Manifests()), jobs, kafka, {}, deadline_seconds=1)
    assert "restore-kafka.yaml" in str(caught.value)
