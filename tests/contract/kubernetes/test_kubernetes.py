"""adapters/kubernetes against a real API server."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.contract.kubernetes.kubeconfigs import kubeconfig

from sluice.adapters.kubernetes.connection import connect
from sluice.adapters.kubernetes.service_proxy import ServiceProxy
from sluice.adapters.kubernetes.workloads import ApiWorkloads
from sluice.errors import ClusterError

pytestmark = pytest.mark.anyio


async def create(client: httpx.AsyncClient, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
    response = await client.post(path, json=manifest)
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json()
    return body


def pod_spec() -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": "nothing"}]}


async def test_a_wrong_token_and_a_ca_that_did_not_sign_are_told_apart(cluster: Path, tmp_path: Path) -> None:
    async with connect(cluster) as client:
        server = str(client.base_url)
        assert (await client.get("/version")).json()["major"] == "1"
    certificate = cluster.parent / "certificates" / "apiserver.crt"
    wrong = kubeconfig(tmp_path / "token", server=server, authority=certificate, token="wrong")
    async with connect(wrong) as client:
        with pytest.raises(ClusterError, match=r"401: Unauthorized \(are the credentials"):
            await ApiWorkloads(client).pods()
    stranger = Path(__file__).with_name("stranger.pem")
    async with connect(kubeconfig(tmp_path / "ca", server=server, authority=stranger)) as client:
        with pytest.raises(ClusterError, match="CERTIFICATE_VERIFY_FAILED"):
            await ApiWorkloads(client).pods()


async def test_pods_events_and_rollouts_are_read_as_the_api_writes_them(
    api_server: httpx.AsyncClient, namespace: str
) -> None:
    workloads = ApiWorkloads(api_server)
    for number in range(3):
        metadata = {"name": f"pod-{number}", "labels": {"app": "x" if number else "y"}}
        await create(api_server, f"/api/v1/namespaces/{namespace}/pods", {"metadata": metadata, "spec": pod_spec()})
    pods = await workloads.pods(namespace, selector="app in (x)")
    assert [(pod.name, pod.phase, pod.ready, pod.containers) for pod in pods] == [
        ("pod-1", "Pending", False, ()),
        ("pod-2", "Pending", False, ()),
    ]
    assert {pod.name for pod in await workloads.pods()} >= {"pod-0", "pod-1", "pod-2"}

    involved = {"kind": "Pod", "name": "pod-1", "namespace": namespace}
    event = {
        "metadata": {"name": "one"},
        "involvedObject": involved,
        "type": "Warning",
        "reason": "Failed",
        "message": "said",
    }
    await create(api_server, f"/api/v1/namespaces/{namespace}/events", event)
    events = await workloads.events(namespace)
    assert [(one.name, one.kind, one.warning, one.message) for one in events] == [("pod-1", "Pod", True, "said")]
    assert abs(events[0].at - time.time()) < 60

    labels = {"app": "x"}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec()},
    }
    for kind in ("deployments", "statefulsets", "daemonsets"):
        await create(
            api_server,
            f"/apis/apps/v1/namespaces/{namespace}/{kind}",
            {"metadata": {"name": kind}, "spec": spec},
        )
    rollouts = await workloads.rollouts(namespace)
    assert [(one.kind, one.name, one.done, one.selector) for one in rollouts] == [
        ("Deployment", "deployments", False, "app=x"),
        ("StatefulSet", "statefulsets", False, "app=x"),
        ("DaemonSet", "daemonsets", False, "app=x"),
    ]
    # No controller runs here that could have.
    assert {one.detail for one in rollouts} == {"its controller has not seen the change yet"}


async def test_a_list_longer_than_a_page_is_read_whole(
    api_server: httpx.AsyncClient, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.adapters.kubernetes.workloads._PAGE", "2")
    for number in range(5):
        manifest = {"metadata": {"name": f"pod-{number}"}, "spec": pod_spec()}
        await create(api_server, f"/api/v1/namespaces/{namespace}/pods", manifest)
    assert len(await ApiWorkloads(api_server).pods(namespace)) == 5


async def test_the_log_of_a_pod_that_is_not_there_is_refused_by_name(
    api_server: httpx.AsyncClient, namespace: str
) -> None:
    with pytest.raises(ClusterError, match='404: pods "nobody" not found'):
        await ApiWorkloads(api_server).logs(namespace, "nobody", "main", tail_lines=1, max_bytes=1)


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answer = {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}
        data = json.dumps(answer).encode()
        self.send_response(412)
        for name, value in (
            ("Content-Type", "application/json"),
            ("ETag", '"7"'),
            ("Content-Length", str(len(data))),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def echo_port(host_address: str) -> Iterator[int]:
    server = ThreadingHTTPServer((host_address, 0), Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


async def make_endpoint(client: httpx.AsyncClient, path: str, address: str, port: int) -> None:
    """Put an address behind the service; a pod has it, since the API server proxies to no other."""
    await create(client, f"{path}/pods", {"metadata": {"name": "backend"}, "spec": pod_spec()})
    status = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
    patched = await client.patch(
        f"{path}/pods/backend/status", json=status, headers={"Content-Type": "application/merge-patch+json"}
    )
    assert patched.is_success, patched.text
    target = {"kind": "Pod", "name": "backend", "namespace": path.rpartition("/")[2]}
    subset = {
        "addresses": [{"ip": address, "targetRef": target}],
        "ports": [{"name": "http", "port": port}],
    }
    await create(client, f"{path}/endpoints", {"metadata": {"name": "backend"}, "subsets": [subset]})


async def test_a_service_gets_what_was_sent_but_not_our_credentials(
    api_server: httpx.AsyncClient, namespace: str, host_address: str, echo_port: int
) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    port = {"name": "http", "port": 8000}
    await create(api_server, f"{path}/services", {"metadata": {"name": "backend"}, "spec": {"ports": [port]}})
    proxy = ServiceProxy(api_server, namespace, "backend", 8000)
    with pytest.raises(ClusterError, match=f"{namespace}/backend:8000"):
        await proxy.get("/readyz")
    await make_endpoint(api_server, path, host_address, echo_port)

    response = await proxy.request(
        "POST",
        "/api/v1/tasks",
        params={"q": 'a b&c="d"'},
        headers={"X-Forwarded-Access-Token": "token", "X-Request-ID": "r-1", "If-Match": '"6"'},
        json={"title": "ünïcode"},
    )
    assert (response.status_code, response.headers["ETag"]) == (412, '"7"')
    seen = response.json()
    assert seen["path"].startswith("/api/v1/tasks?q=a")
    assert httpx.URL("http://x" + seen["path"]).params["q"] == 'a b&c="d"'
    assert json.loads(seen["body"]) == {"title": "ünïcode"}
    headers = seen["headers"]
    passed = [headers[name] for name in ("x-forwarded-access-token", "x-request-id", "if-match")]
    assert passed == ["token", "r-1", '"6"']
    assert "authorization" not in headers
