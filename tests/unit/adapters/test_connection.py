"""A kubeconfig into a client: its address, its credentials, its mistakes."""

import json
import ssl
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from sluice.adapters.kubernetes import connection
from sluice.adapters.kubernetes.connection import connect, websocket_access
from sluice.errors import ClusterError

pytestmark = pytest.mark.anyio


def kubeconfig(folder: Path, *, server: str = "http://127.0.0.1:1", **user: Any) -> Path:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


async def authorization(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The Authorization headers of two requests."""
    seen: list[str | None] = []

    async def answer(_: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Authorization"))
        return httpx.Response(200)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    async with connect(path) as client:
        await client.get("/version")
        await client.get("/version")
    return seen


async def test_a_token_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await authorization(kubeconfig(tmp_path, token="abc"), monkeypatch) == ["Bearer abc"] * 2


async def test_a_token_of_a_plugin_that_expires_is_fetched_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = tmp_path / "calls"
    counter.write_text("", encoding="utf-8")
    credential = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1"}
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import json, pathlib\n"
        f"calls = pathlib.Path({str(counter)!r})\n"
        "calls.write_text(calls.read_text() + 'x')\n"
        "token = 'call-' + str(len(calls.read_text()))\n"
        "status = {'token': token, 'expirationTimestamp': '2020-01-01T00:00:00Z'}\n"
        f"print(json.dumps({credential!r} | {{'status': status}}))\n",
        encoding="utf-8",
    )
    plug = {
        "apiVersion": credential["apiVersion"],
        "command": sys.executable,
        "args": [str(plugin)],
        "interactiveMode": "Never",
    }
    assert await authorization(kubeconfig(tmp_path, exec=plug), monkeypatch) == [
        "Bearer call-2",
        "Bearer call-3",
    ]


async def test_a_websocket_goes_to_the_same_server_with_the_same_token(tmp_path: Path) -> None:
    access = await websocket_access(kubeconfig(tmp_path, token="abc"))
    assert (access.server, access.tls, access.direct) == ("ws://127.0.0.1:1", None, True)
    assert access.headers == {"Authorization": "Bearer abc"}


async def test_a_websocket_checks_the_servers_certificate(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, server="https://cluster.example:6443", token="abc")
    access = await websocket_access(path)
    assert (access.server, access.direct, access.server_name) == ("wss://cluster.example:6443", False, None)
    assert access.tls is not None
    assert (access.tls.verify_mode, access.tls.check_hostname) == (ssl.CERT_REQUIRED, True)


async def test_the_environments_proxy_is_not_used_for_a_loopback_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with connect(kubeconfig(tmp_path, token="abc")) as client:
        assert not client._mounts
    async with connect(kubeconfig(tmp_path, server="http://cluster.example", token="abc")) as client:
        assert client._mounts


@pytest.mark.parametrize(
    ("server", "loopback"),
    [
        ("https://127.0.0.1:6443", True),
        ("https://[::1]:6443", True),
        ("https://localhost", True),
        ("https://10.0.0.1", False),
        ("https://127.example", False),
    ],
)
async def test_loopback_is_told_by_address(server: str, loopback: bool) -> None:
    assert connection._is_loopback(server) is loopback


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (None, "Invalid kube-config file"),
        ("", "file is empty"),
        ("{", "while parsing"),
        (json.dumps({"contexts": []}), "Invalid kube-config file"),
    ],
    ids=["missing", "empty", "broken", "of another shape"],
)
async def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, content: str | None, seen: str) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ClusterError) as raised:
        async with connect(path):
            pass
    assert str(path) in raised.value.failed
    assert seen in raised.value.seen


async def test_a_context_that_is_not_there_and_missing_credentials_are_told(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="other"):
        async with connect(kubeconfig(tmp_path, token="abc"), context="other"):
            pass
    with pytest.raises(ClusterError, match=r"gave no credentials for https://cluster\.example"):
        async with connect(kubeconfig(tmp_path, server="https://cluster.example")):
            pass
