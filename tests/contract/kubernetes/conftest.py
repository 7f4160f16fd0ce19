"""A real API server with an etcd of its own, both on loopback; no kubelet, no controllers."""

import os
import shutil
import socket
import ssl
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.contract.kubernetes.kubeconfigs import TOKEN, kubeconfig
from tests.contract.programs import answers, free_ports, program, running

from sluice.adapters.kubernetes.connection import connect


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of an API server that knows nothing but what a test creates."""
    folder = tmp_path_factory.mktemp("kubernetes")
    _needs_both(folder)
    client, peer, secure = free_ports(3)
    etcd_url = f"http://127.0.0.1:{client}"
    etcd: list[str | Path] = [
        program("etcd"),
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync",
        *(f"--{name}={etcd_url}" for name in ("listen-client-urls", "advertise-client-urls")),
        *(f"--{name}=http://127.0.0.1:{peer}" for name in ("listen-peer-urls", "initial-advertise-peer-urls")),
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
    ]
    with (
        running(etcd, ready=answers(f"{etcd_url}/health"), log=folder / "etcd.log"),
        running(_api_server(folder, etcd_url, secure), ready=_ready(folder, secure), log=folder / "api-server.log"),
    ):
        yield kubeconfig(
            folder / "kubeconfig",
            server=f"https://127.0.0.1:{secure}",
            authority=folder / "certificates" / "apiserver.crt",
        )


def _needs_both(folder: Path) -> None:
    """Skip where SLUICE_BIN has no etcd, or a kubectl that is nothing but kubectl (supply from upstream)."""
    kubectl = program("kubectl")
    if not (Path(os.environ["SLUICE_BIN"]) / "etcd").is_file():
        pytest.skip("etcd is not in SLUICE_BIN: the API server has nowhere to keep what it is told")
    # Built from source, one program holds all of Kubernetes' commands and goes by the name it is called.
    name = folder / "kube-apiserver"
    name.symlink_to(kubectl)
    version = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
    if not version.stdout.startswith("Kubernetes v"):
        pytest.skip("kubectl in SLUICE_BIN is not the program that is kube-apiserver too (supply from source)")


def _api_server(folder: Path, etcd_url: str, port: int) -> list[str | Path]:
    openssl = shutil.which("openssl")
    assert openssl, "openssl makes the key of service accounts: apt-get install openssl"
    subprocess.run([openssl, "genrsa", "-out", folder / "key", "2048"], check=True, capture_output=True)
    (folder / "tokens.csv").write_text(f'{TOKEN},tester,1,"system:masters"\n', encoding="utf-8")
    return [
        folder / "kube-apiserver",
        f"--etcd-servers={etcd_url}",
        # Should another etcd ever answer at that address, nothing of its own is read or written.
        f"--etcd-prefix=/contract-{uuid.uuid4().hex}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://contract.invalid",
        f"--service-account-key-file={folder / 'key'}",
        f"--service-account-signing-key-file={folder / 'key'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
    ]


def _ready(folder: Path, port: int) -> Callable[[], bool]:
    def check() -> bool:
        certificate = folder / "certificates" / "apiserver.crt"
        if not certificate.exists():
            return False
        tls = ssl.create_default_context(cafile=certificate)
        with httpx.Client(verify=tls, trust_env=False, timeout=2) as client:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            return client.get(f"https://127.0.0.1:{port}/readyz", headers=headers).is_success

    return check


@pytest.fixture
async def api_server(cluster: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it."""
    async with connect(cluster) as client:
        yield client


@pytest.fixture
async def namespace(api_server: httpx.AsyncClient) -> str:
    """A namespace of the test's own."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    response = await api_server.post("/api/v1/namespaces", json={"metadata": {"name": name}})
    assert response.is_success, response.text
    return name


@pytest.fixture(scope="module")
def host_address() -> str:
    """An address of this machine that is not loopback: the API server proxies to no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # documentation's network; nothing is sent
        except OSError:
            pytest.skip("this machine has no address but loopback, to which the API server does not proxy")
        return str(probe.getsockname()[0])
