"""`doctor --cloud` on this host: the ways to a target's cluster and registry, and what is in the way."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from tests.unit.promotion.clusters import ROOT, TARGETS, complete, examine, open_registry, target_of

from sluice.doctor import Finding
from sluice.errors import ClusterError
from sluice.preflight import examine_target
from sluice.promotion.signing import GITHUB, Identity

pytestmark = pytest.mark.anyio


async def test_a_kubeconfig_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    target = target_of("gke", tmp_path)

    @asynccontextmanager
    async def refuse(*_: Any, **__: Any) -> AsyncIterator[httpx.AsyncClient]:
        raise ClusterError("the kubeconfig cannot be used", seen="no CA", next_command="kubectl config view")
        yield

    found = await examine_target(
        target, ROOT, environment={}, connect=refuse, registry=httpx.MockTransport(open_registry)
    )
    assert found[-1] == Finding("API server", "lacks", "the kubeconfig cannot be used: no CA", "kubectl config view")


async def test_without_a_way_to_the_cluster_it_is_not_asked(tmp_path: Path) -> None:
    target = target_of("gke", tmp_path)
    for context, kubeconfig, seen in (
        ("other", target.cluster.kubeconfig, "no context other in"),
        ("acme", str(tmp_path / "none"), "no file"),
        ("acme", target.public_key, "cannot be read"),
    ):
        wrong = replace(target, cluster=replace(target.cluster, context=context, kubeconfig=kubeconfig))
        found = await examine(wrong, {})
        assert seen in found["kubeconfig"].seen
        assert found["kubeconfig"].cure.startswith("gcloud container clusters get-credentials")
        assert "API server" not in found


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        (["no-such-plugin"], "no-such-plugin is not on PATH"),
        ([sys.executable, "-c", "import sys; sys.exit('token expired')"], "failed: token expired"),
    ],
)
async def test_the_credentials_plugin_is_tried(tmp_path: Path, command: list[str], seen: str) -> None:
    given = {"apiVersion": "client.authentication.k8s.io/v1", "command": command[0], "args": command[1:]}
    target = target_of("aks", tmp_path, exec=given)
    found = await examine(target, complete(target))
    assert seen in found["credentials plugin"].seen
    assert "az login" in found["credentials plugin"].cure
    assert "API server" not in found


async def test_what_a_plugin_prints_stays_with_it(tmp_path: Path) -> None:
    code = "import os; assert 'ExecCredential' in os.environ['KUBERNETES_EXEC_INFO']; print('hunter2')"
    given = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": ["-c", code]}
    target = target_of("gke", tmp_path, exec=given)
    found = await examine(target, complete(target))
    assert (found["credentials plugin"].state, found["API server"].state) == ("has", "has")


async def test_names_of_the_example_and_a_wrong_key_are_told(tmp_path: Path) -> None:
    target = replace(target_of("aks", tmp_path), storage=TARGETS["aks"].storage)
    found = await examine(target, complete(target))
    assert found["names"].seen == "an example's: storage.account, storage.client_id"
    for text, seen in (
        ("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----", "a private key"),
        ("x", "no public key in PEM"),
    ):
        (tmp_path / "cosign.pub").write_text(text, encoding="utf-8")
        assert seen in (await examine(target, complete(target)))["public key"].seen
    (tmp_path / "cosign.pub").unlink()
    assert "no file" in (await examine(target, complete(target)))["public key"].seen


async def test_who_may_have_signed_is_told_and_what_verifies_that(tmp_path: Path) -> None:
    target = target_of("gke", tmp_path)
    ours = Identity(GITHUB, "https://github.com/acme/tasks/.github/workflows/release.yml@refs/tags/v*")
    found = await examine(replace(target, identity=ours), complete(target))
    assert "public key" not in found
    assert found["identity"].state == "has"
    who = f"releases signed by {ours.subject}, as {GITHUB} knows it"
    assert found["identity"].seen == f"{who}; Sigstore's keys are fetched"
    file = tmp_path / "trusted-root.json"
    with_file = replace(target, identity=replace(ours, trusted_root=str(file)))
    assert "No such file" in (await examine(with_file, complete(target)))["identity"].seen
    for text in ("{", "[]", '{"certificateAuthorities": []}'):
        file.write_text(text)
        found = await examine(with_file, complete(target))
        assert (found["identity"].state, "names no authority" in found["identity"].seen) == ("lacks", True)
        assert found["identity"].cure.startswith("cosign trusted-root create")
    file.write_text('{"certificateAuthorities": [{}]}')
    found = await examine(with_file, complete(target))
    assert (found["identity"].state, str(file) in found["identity"].seen) == ("has", True)
    theirs = replace(target, identity=replace(ours, subject="https://github.com/example/sluice/x@refs/tags/v*"))
    assert (await examine(theirs, complete(target)))["names"].seen == "an example's: identity.subject"


async def test_a_registry_that_refuses_or_is_away_is_told(tmp_path: Path) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    target = target_of("oke", tmp_path)
    found = (await examine(target, complete(target), registry=refuse))["registry registry.acme.org"]
    assert (found.state, found.seen) == ("lacks", "401, asked for sluice as me")
    assert found.cure.startswith("docker login registry.acme.org")
    found = (await examine(target, complete(target), registry=fail))["registry registry.acme.org"]
    assert (found.state, found.seen) == ("lacks", "ConnectError: refused")
    assert found.cure == "curl -sS https://registry.acme.org/v2/"

    def strange(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")

    found = (await examine(target, complete(target), registry=strange))["registry registry.acme.org"]
    assert "registry.ca in targets/oke.toml" in found.cure
    none = str(tmp_path / "none")
    for given in (replace(target.registry, credentials=none), replace(target.registry, ca=none)):
        wrong = replace(target, registry=given)
        found = (await examine(wrong, complete(target)))["registry registry.acme.org"]
        assert found.seen == f"no file {none}"


async def test_a_check_has_a_deadline(tmp_path: Path) -> None:
    target = target_of("gke", tmp_path)

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await anyio.sleep_forever()
            raise AssertionError

    with anyio.fail_after(60):
        found = await examine_target(
            replace(target, cluster=replace(target.cluster, context="other")),
            ROOT,
            environment={},
            registry=Silent(),
            seconds=0.05,
        )
    assert "no answer within" in next(one.seen for one in found if one.what == "registry")
