"""release, deploy, promote, rollback, status, history: which command is run, and how secrets come to it."""

from typing import Any

import dagger
import pytest
from tests.unit.dagger.session import Call, FakeSession, calls, chain, everything, session, variables
from tests.unit.dagger.test_module import module, source

__all__ = ["session"]

pytestmark = pytest.mark.anyio
VALUE = "the-value-of-a-secret"
FORWARD = "python -m sluice.entrypoints.engine_forward 5001 docker python -m sluice"


def secret(session: FakeSession, name: str) -> dagger.Secret:
    return session.client.set_secret(name, f"{VALUE}-{name}")


def asked(session: FakeSession) -> list[Call]:
    """The chain of the command that was asked for last."""
    return session.asked[-1][:-1]


def words(asked: list[Call]) -> list[str]:
    return list([call for call in asked if call.name == "withExec"][-1].args["args"])


def given(asked: list[Call]) -> dict[str, str]:
    return {call.args["name"]: call.args["value"] for call in asked if call.name == "withEnvVariable"}


def mounted(asked: list[Call]) -> set[str]:
    return {call.args["path"] for call in asked if call.name == "withMountedSecret"}


async def release(session: FakeSession, **more: Any) -> dagger.Directory:
    client = session.client
    found: dagger.Directory = await module().release(
        client.directory().with_new_file("evidence.json", "{}"),
        source(client),
        secret(session, "key"),
        secret(session, "password"),
        client.directory().with_new_file("cosign.pub", "public").file("cosign.pub"),
        **more,
    )
    return found


async def test_a_release_is_made_of_the_evidence_by_the_command_of_nox(session: FakeSession) -> None:
    made = await release(session)
    run = calls(made, "withExec")[-1]
    assert FORWARD in run["args"][2], "the run's images are called localhost:5001, and lie on another host here"
    assert run["args"][3:] == ["release", "release", "--no-install", "--supply", "auto", "--run", "/evidence"]
    assert chain(made)[-1].args == {"path": "/release"}
    assert [args["alias"] for args in calls(made, "withServiceBinding")] == ["docker"]


async def test_the_key_is_a_mounted_file_with_its_public_half_beside_it(session: FakeSession) -> None:
    made = await release(session)
    settings = variables(made)
    assert settings["SLUICE_RELEASE_KEY"] == "/run/secrets/cosign.key"
    assert settings["SLUICE_RELEASE_PASSWORD_FILE"] in mounted(chain(made))
    assert settings["SLUICE_RELEASE_KEY"] in mounted(chain(made))
    assert "/run/secrets/cosign.pub" in {args["path"] for args in calls(made, "withFile")}


async def test_where_releases_are_kept_comes_with_its_credentials(session: FakeSession) -> None:
    ca = session.client.directory().with_new_file("ca.crt", "PEM").file("ca.crt")
    made = await release(session, repository="registry/sluice", registries=secret(session, "registries"), ca=ca)
    settings = variables(made)
    assert settings["SLUICE_RELEASE_REPOSITORY"] == "registry/sluice"
    assert settings["SLUICE_RELEASE_CREDENTIALS"] == f"{settings['DOCKER_CONFIG']}/config.json"
    assert settings["SLUICE_RELEASE_CREDENTIALS"] in mounted(chain(made))
    assert settings["SLUICE_RELEASE_CA"] in {args["path"] for args in calls(made, "withFile")}
    plain = variables(await release(session))
    assert not {"SLUICE_RELEASE_REPOSITORY", "SLUICE_RELEASE_CREDENTIALS", "SLUICE_RELEASE_CA"} & set(plain)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("deploy", {}, ["deploy", "--target", "gke"]),
        (
            "deploy",
            {"release": "r1", "dry_run": True, "full": True},
            ["deploy", "--target", "gke", "--release", "r1", "--dry-run", "--full"],
        ),
        ("promote", {"release": "r1"}, ["deploy", "--target", "gke", "--release", "r1"]),
        ("rollback", {}, ["rollback", "--target", "gke"]),
        ("rollback", {"to": "r0", "dry_run": True}, ["rollback", "--target", "gke", "--to", "r0", "--dry-run"]),
        ("status", {}, ["status", "--target", "gke"]),
        ("history", {}, ["history", "--target", "gke"]),
    ],
    ids=["deploy", "deploy, all of it", "promote", "rollback", "rollback, all of it", "status", "history"],
)
async def test_a_command_on_a_target(
    session: FakeSession, name: str, arguments: dict[str, Any], expected: list[str]
) -> None:
    session.answers["stdout"] = "printed"
    work = getattr(module(), name)
    kubeconfig = secret(session, "kubeconfig")
    assert await work(source=source(session.client), target="gke", kubeconfig=kubeconfig, **arguments) == "printed"
    run = asked(session)
    assert words(run)[-len(expected) :] == expected
    assert given(run)["KUBECONFIG"] in mounted(run)
    assert "expect" not in [call for call in run if call.name == "withExec"][-1].args, "what fails fails the call"


async def test_status_without_a_target_asks_all(session: FakeSession) -> None:
    await module().status(source(session.client), secret(session, "kubeconfig"))
    assert words(asked(session)) == ["python", "-m", "sluice", "status"]


async def test_releases_in_the_engines_own_registry_are_reached_through_the_docker_engine(
    session: FakeSession,
) -> None:
    client, kubeconfig = session.client, secret(session, "kubeconfig")
    await module().deploy(source(client), "gke", kubeconfig)
    assert FORWARD in words(asked(session))[2]
    assert [call.args["alias"] for call in asked(session) if call.name == "withServiceBinding"] == ["docker"]
    await module().deploy(source(client), "gke", kubeconfig, repository="registry/sluice")
    assert words(asked(session))[:4] == ["python", "-m", "sluice", "deploy"]
    await module().rollback(source(client), "gke", kubeconfig)
    assert not [call for call in asked(session) if call.name == "withServiceBinding"], "it needs the target's alone"


async def test_who_asks_stands_in_the_ledger_only_where_it_was_said(session: FakeSession) -> None:
    client, kubeconfig = session.client, secret(session, "kubeconfig")
    await module().deploy(source(client), "gke", kubeconfig, who="ada@example.com")
    assert given(asked(session))["SLUICE_WHO"] == "ada@example.com"
    await module().deploy(source(client), "gke", kubeconfig)
    assert "SLUICE_WHO" not in given(asked(session))


async def test_no_secret_is_in_a_word_or_a_variable(session: FakeSession) -> None:
    made = await release(session, registries=secret(session, "registries"))
    await module().deploy(
        source(session.client), "gke", secret(session, "kubeconfig"), registries=secret(session, "registries")
    )
    for call in [*chain(made), *asked(session)]:
        if call.name in ("withExec", "withEnvVariable", "withNewFile"):
            assert VALUE not in str(call.args)


async def test_what_a_promotion_leaves_outlives_the_call(session: FakeSession) -> None:
    await module().deploy(source(session.client), "gke", secret(session, "kubeconfig"))
    home = given(asked(session))["SLUICE_RUN_FOLDER"]
    assert home in {call.args["path"] for call in asked(session) if call.name == "withMountedCache"}
    found = await module().promotions(source(session.client))
    assert variables(found)["SLUICE_RUN_FOLDER"] == home
    script = calls(found, "withExec")[-1]["args"][-1]
    assert script.index(f"cp -R {home}/.") < script.index("rm -rf /promotions/promotions/*/work"), "credentials go"
    assert chain(found)[-1].args == {"path": "/promotions"}


async def test_each_call_asks_anew(session: FakeSession) -> None:
    client, kubeconfig = session.client, secret(session, "kubeconfig")
    seen = set()
    for _ in range(2):
        await module().status(source(client), kubeconfig)
        seen.add(given(asked(session))["SLUICE_CALLED_AT"])
        seen.add(variables(await release(session))["SLUICE_CALLED_AT"])
        seen.add(variables(await module().promotions(source(client)))["SLUICE_CALLED_AT"])
    assert len(seen) == 6


async def test_on_targets_too_offline_pulls_nothing(session: FakeSession) -> None:
    main = module(session.client.directory())
    await main.deploy(source(session.client), "gke", secret(session, "kubeconfig"))
    bound = [call.args["service"] for call in asked(session) if call.name == "withServiceBinding"]
    for call in [*asked(session), *(one for service in bound for one in everything(service))]:
        assert call.name not in ("from", "dockerBuild")
