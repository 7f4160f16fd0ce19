"""One of two regions: Secrets that both have, fixtures that the other region can follow, services at a size."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sluice.domain import Fixture, Image, Service
from sluice.errors import FailoverError, SourceError
from sluice.steps.install_charts import Installer, install_service, values_in
from sluice.steps.install_fixtures import put
from sluice.steps.install_secrets import DAPR_APP_TOKEN, USER_TOKENS
from sluice.steps.resolve_source import FIXTURES, fixture_of

MIRROR = "mirror"
_IN_A_REGION = "-region"
# One pod of each service, and no autoscaler: two regions share the cores of one machine, and nothing measures load.
# All of them start at once at a switch, on few cores; nothing is there that a new pod would have to replace gently.
REGION_VALUES = """\
autoscaling: {{enabled: false, minReplicas: {replicas}}}
preStopSeconds: 1
minReadySeconds: 0
startupSeconds: 120
"""


class Secrets(Protocol):
    """Knows the Secrets of a cluster."""

    async def ensure_secret(
        self, name: str, namespace: str, values: Mapping[str, str], *, kind: str = "Opaque"
    ) -> None:
        """Create a secret unless it is there."""
        ...

    async def read_secret(self, name: str, namespace: str) -> dict[str, str]:
        """The values of a secret; none where it is not there."""
        ...


def shared_secrets(services: Sequence[Service]) -> tuple[str, ...]:
    """Return the Secrets that have to be the same in both regions.

    A database that follows has the roles of the other's, and a user's token is good in both.
    """
    databases = [f"{one.name}-database" for one in services if "postgresql" in one.requires]
    return ("postgresql", "postgresql-monitoring", "postgresql-replication", *databases, USER_TOKENS, DAPR_APP_TOKEN)


async def share_secrets(active: Secrets, standby: Secrets, names: Sequence[str], namespace: str, region: str) -> None:
    """Give the region that stands by what the active one has.

    Raises FailoverError where the active one lacks a Secret, or the other has one of its own: it is not overwritten.
    """
    for name in names:
        wanted = await active.read_secret(name, namespace)
        if not wanted:
            raise FailoverError(
                f"the active region has no Secret {name}",
                seen=f"nothing in its namespace {namespace}",
                expected="what ./nox -s regions made there",
                next_command="./nox -s regions -- up",
            )
        await give_secret(standby, name, wanted, namespace, region)


async def give_secret(standby: Secrets, name: str, wanted: Mapping[str, str], namespace: str, region: str) -> None:
    """Give the region that stands by (`region`) a Secret. Raises FailoverError where it has another of that name."""
    await standby.ensure_secret(name, namespace, wanted)
    if await standby.read_secret(name, namespace) != wanted:
        raise FailoverError(
            f"{region} has a Secret {name} of its own",
            seen="other values than those of the active region",  # never which
            expected="the same in both: what follows has the active region's roles and keys",
            next_command=f"kubectl --namespace {namespace} delete secret {name}, in {region}; then the same again",
        )


def in_a_region(root: Path, fixture: str) -> Fixture:
    """Return a fixture in the shape that it has in a region: `<name>-region` where there is that.

    Raises SourceError where its kustomization cannot be read.
    """
    name = f"{fixture}{_IN_A_REGION}"
    shaped = name if (root / FIXTURES / name / "kustomization.yaml").is_file() else fixture
    found, mistakes = fixture_of(root, shaped)
    if found is None:
        raise SourceError(
            f"{FIXTURES}/{shaped}",
            mistakes or ["it has no kustomization.yaml"],
            expected="a kustomization with its images",
            next_command=f"kubectl kustomize {FIXTURES}/{shaped}",
        )
    return found


async def install_region_fixture(
    installer: Installer, fixture: Fixture, namespace: str, images: Mapping[str, Image]
) -> None:
    """Put a fixture of a region there; returns when it is up. Secrets and the ConfigMap `region` are there already."""
    await put(installer, fixture.name, namespace, images)


async def install_region_service(
    installer: Installer,
    service: Service,
    namespace: str,
    image: Image,
    components: Mapping[str, Image],
    *,
    replicas: int,
    work: Path,
) -> None:
    """Install a service with so many pods, 0 where the region stands by; `work` is a folder for its values."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "service.yaml").write_text(REGION_VALUES.format(replicas=replicas), encoding="utf-8")
    sized = replace(installer, values_for=values_in(work))
    await install_service(sized, service, namespace, image, components)
