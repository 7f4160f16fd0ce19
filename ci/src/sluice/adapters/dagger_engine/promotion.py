"""Releases and targets in the toolbox: the commands of ./nox, with what they need of secrets mounted as files.

What a host has below .sluice (the copies of ledgers, what each promotion left) is on a cache volume here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagger

from sluice.adapters.dagger_engine.cluster_host import HOST, REGISTRY_PORT, WAIT, bound, docker_engine
from sluice.adapters.dagger_engine.toolbox import asked_now, toolbox

_SECRETS = "/run/secrets"
_HOME = "/var/lib/sluice"
_LEFT = "/promotions"
_EVIDENCE, _RELEASE = "/evidence", "/release"
_VOLUME = "sluice-promotions"

# The registry that a run left its images in is another host's here, and is called localhost in every reference.
_BESIDE = f"""{WAIT}
python -m sluice.entrypoints.engine_forward {REGISTRY_PORT} {HOST} python -m sluice "$@"
"""
_MAKE = f"""{_BESIDE}
cp -RL .sluice/releases/{_EVIDENCE.strip("/")} {_RELEASE}
"""
# A run that was killed may have left its credentials there.
_GATHER = f"""
mkdir -p {_LEFT}
cp -R {_HOME}/. {_LEFT}/
rm -rf {_LEFT}/promotions/*/work
"""


@dataclass(frozen=True)
class KeySecrets:
    """The key that a release is signed with, as the engine has it: cosign's private half, its password, the public."""

    private: dagger.Secret
    password: dagger.Secret
    public: dagger.File


@dataclass(frozen=True)
class Releases:
    """Where releases are kept; without `repository` as sluice.toml says, else the engine's own registry.

    `registries` is a Docker configuration (config.json) with the credentials of every registry that takes part,
    `ca` the certificates in PEM of the one that releases are kept in.
    """

    repository: str = ""
    registries: dagger.Secret | None = None
    ca: dagger.File | None = None


def release(
    client: dagger.Client, source: dagger.Directory, evidence: dagger.Directory, key: KeySecrets, releases: Releases, *,
    supply: str = "auto", offline: dagger.Directory | None = None,
) -> dagger.Directory:  # fmt: skip
    """Return what goes with the release of a run; the release itself lies in a registry.

    The run's images are taken from where e2e left them: the registry of the Docker engine beside it.
    """
    box = bound(_with_releases(toolbox(client, source, offline), releases), docker_engine(client, source, offline))
    box = (
        box.with_mounted_secret(f"{_SECRETS}/cosign.key", key.private)
        .with_mounted_secret(f"{_SECRETS}/password", key.password)
        .with_file(f"{_SECRETS}/cosign.pub", key.public)
        .with_env_variable("SLUICE_RELEASE_KEY", f"{_SECRETS}/cosign.key")
        .with_env_variable("SLUICE_RELEASE_PASSWORD_FILE", f"{_SECRETS}/password")
        .with_env_variable("SLUICE_RELEASE_KEYLESS", "false")  # whatever sluice.toml says: no workflow's token is here
        .with_directory(_EVIDENCE, evidence)
    )
    words = ["release", "--no-install", "--supply", supply, "--run", _EVIDENCE]
    return asked_now(box).with_exec(["sh", "-euc", _MAKE, "release", *words]).directory(_RELEASE)


def asked(
    client: dagger.Client, source: dagger.Directory, words: Sequence[str], kubeconfig: dagger.Secret,
    releases: Releases, *, who: str = "", offline: dagger.Directory | None = None,
) -> dagger.Container:  # fmt: skip
    """Return a toolbox in which a command on targets was run: deploy, rollback, status or history."""
    box = _with_home(_with_releases(toolbox(client, source, offline), releases), client)
    box = box.with_mounted_secret(f"{_SECRETS}/kubeconfig", kubeconfig)
    box = box.with_env_variable("KUBECONFIG", f"{_SECRETS}/kubeconfig")
    box = box.with_env_variable("SLUICE_WHO", who) if who else box
    if words[0] == "deploy" and not releases.repository:  # the one command that may need the engine's own registry
        box = bound(box, docker_engine(client, source, offline))
        return asked_now(box).with_exec(["sh", "-euc", _BESIDE, "deploy", *words])
    return asked_now(box).with_exec(["python", "-m", "sluice", *words])


def left(client: dagger.Client, source: dagger.Directory, offline: dagger.Directory | None = None) -> dagger.Directory:
    """Return what promotions from this engine left: a folder each, and the copies of the ledgers."""
    box = _with_home(toolbox(client, source, offline), client)
    return asked_now(box).with_exec(["sh", "-euc", _GATHER]).directory(_LEFT)


def _with_home(container: dagger.Container, client: dagger.Client) -> dagger.Container:
    kept = container.with_mounted_cache(_HOME, client.cache_volume(_VOLUME))
    return kept.with_env_variable("SLUICE_RUN_FOLDER", _HOME)


def _with_releases(container: dagger.Container, releases: Releases) -> dagger.Container:
    """The target's registry finds its credentials as on a host: in Docker's own folder of configuration."""
    if releases.repository:
        container = container.with_env_variable("SLUICE_RELEASE_REPOSITORY", releases.repository)
    if releases.registries:
        file = f"{_SECRETS}/docker/config.json"
        container = container.with_mounted_secret(file, releases.registries)
        container = container.with_env_variable("DOCKER_CONFIG", f"{_SECRETS}/docker")
        container = container.with_env_variable("SLUICE_RELEASE_CREDENTIALS", file)
    if releases.ca:
        container = container.with_file(f"{_SECRETS}/ca.crt", releases.ca)
        container = container.with_env_variable("SLUICE_RELEASE_CA", f"{_SECRETS}/ca.crt")
    return container
