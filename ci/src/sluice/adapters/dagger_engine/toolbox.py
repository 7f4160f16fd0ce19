"""The toolbox: a container with the source and what ./nox sets up, in which Sluice's own commands run."""

import time

import dagger

from sluice.adapters.dagger_engine.presence import INSIDE

ROOT = "/src"
_ENVIRONMENT = "/opt/sluice"
_GO = "/usr/local/go"
_WHEELS = "/wheels"
_CACHE = "/var/cache/sluice"

_MACHINE = "ci/src/sluice/supply/images/toolbox"
_PYTHON_IMAGE = "docker.io/library/python:3.11-slim-bookworm"
_GO_IMAGE = "docker.io/library/golang:1.26-bookworm"

# What no command reads, so that touching it runs nothing again. Patterns of Dagger's `ignore`.
LEFT_OUT = [".env", ".sluice", ".hypothesis", "**/.*_cache", "**/__pycache__", "**/*.egg-info", "**/.venv", "ci/sdk"]


def machine(
    client: dagger.Client, source: dagger.Directory, offline: dagger.Directory | None = None
) -> dagger.Container:
    """Return Debian with Python 3.11, git and Docker's programs; nothing of the source is in it but its recipe.

    `offline` is the folder that offline.py lays out, for an engine that reaches no container registry.
    """
    if offline:
        return client.container().import_(offline.file("base.tar"))
    return source.directory(_MACHINE).docker_build(build_args=[dagger.BuildArg("BASE", _PYTHON_IMAGE)])


def with_go(
    container: dagger.Container, client: dagger.Client, offline: dagger.Directory | None = None
) -> dagger.Container:
    """Return the container with a Go toolchain: components from source and some tests need one."""
    go = offline.directory("go") if offline else client.container().from_(_GO_IMAGE).directory(_GO)
    return container.with_mounted_directory(_GO, go).with_env_variable("PATH", f"{_GO}/bin:${{PATH}}", expand=True)


def toolbox(
    client: dagger.Client, source: dagger.Directory, offline: dagger.Directory | None = None
) -> dagger.Container:
    """Return the container in which `python -m sluice` works as it does on a host, in the source's root.

    Its environment is what ./nox makes of requirements/sluice.txt; a changed source does not make it anew.
    """
    container = machine(client, source, offline).with_workdir(ROOT)
    container = container.with_file(f"{ROOT}/nox", source.file("nox"))
    container = container.with_directory(f"{ROOT}/requirements", source.directory("requirements"))
    make = f"./nox --version && ln -s {ROOT}/.sluice/venv-* {_ENVIRONMENT}"
    if offline:
        prepared = container.with_mounted_directory(_WHEELS, offline.directory("wheels"))
        prepared = prepared.with_env_variable("PIP_NO_INDEX", "1").with_env_variable("PIP_FIND_LINKS", _WHEELS)
        prepared = prepared.with_exec(["sh", "-euc", make]).without_mount(_WHEELS)
        container = prepared.without_env_variable("PIP_NO_INDEX").without_env_variable("PIP_FIND_LINKS")
    else:
        container = container.with_exec(["sh", "-euc", make])
    container = with_go(container, client, offline).with_directory(ROOT, source)
    for name, value in {
        "PATH": f"{_ENVIRONMENT}/bin:${{PATH}}",
        "PYTHONPATH": f"{ROOT}/ci/src",
        "PYTHONUNBUFFERED": "1",
        "SLUICE_RUN_CACHE": _CACHE,
        "SLUICE_RUN_RUNTIME": "dagger",
        INSIDE: "1",
    }.items():
        container = container.with_env_variable(name, value, expand=name == "PATH")
    return _with_caches(container, client, offline)


def asked_now(container: dagger.Container) -> dagger.Container:
    """Return the container with the hour in it: what it runs next is not answered from the engine's cache."""
    return container.with_env_variable("SLUICE_CALLED_AT", str(time.time_ns()))


def _with_caches(
    container: dagger.Container, client: dagger.Client, offline: dagger.Directory | None
) -> dagger.Container:
    """Only what is obtained is shared: the state of a cluster in a cache would be met by another session."""
    for name, given in {"supply": "supply", "go": "modules/go"}.items():
        source = offline.directory(given) if offline else None
        container = container.with_mounted_cache(
            f"{_CACHE}/{name}", client.cache_volume(f"sluice-{name}"), source=source
        )
    return container
