"""What answers on a target is asked, each by itself: one that is away is missing, and costs no other."""

import base64
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tests.unit.readiness.good import GKE, NOW

from sluice.adapters.loki.client import LokiLogs
from sluice.adapters.prometheus.alertmanager import AlertmanagerApi
from sluice.adapters.prometheus.client import PrometheusMetrics
from sluice.errors import ClusterError, EvidenceError
from sluice.preflight.asking import Api
from sluice.readiness.model import ON_TARGET
from sluice.readiness.snapshot import Ledger, Rule, Scraped, Snapshot
from sluice.steps.gather_readiness import Ways, gather_readiness

pytestmark = pytest.mark.anyio
START = Snapshot(NOW, GKE, missing={"charts": "no helm"})
UNTIL = datetime(2027, 3, 1, tzinfo=UTC)


def certificate() -> bytes:
    """One that ends at UNTIL, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(UNTIL - timedelta(days=90)).not_valid_after(UNTIL)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def series(label: str, **values: float) -> dict[str, Any]:
    result = [{"metric": {label: name}, "value": [1, str(value)]} for name, value in values.items()]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


@dataclass
class Target:
    """A target that answers each path as it is told; `refuses` are beginnings of paths, `broken` is one whole."""

    refuses: tuple[str, ...] = ()
    broken: str = ""
    asked: list[str] = field(default_factory=list)
    ledger: Callable[[], Any] | None = None

    async def read_ledger(self) -> Ledger:
        if self.ledger:
            await self.ledger()
        return Ledger(drift=("x",))

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, query = request.url.path, request.url.params.get("query", "")
        self.asked.append(path)
        if any(path.startswith(one) for one in self.refuses):
            return httpx.Response(403, text="no")
        if path == self.broken:
            return httpx.Response(200, text="{ a: [")
        if path == "/config":
            return httpx.Response(200, text="compactor:\n  retention_enabled: true\nserver: {a: b}\n")
        if path.startswith(("/api/v1/query", "/loki/api/v1/query")):
            name = "service" if "count_over_time" in query or "slo:" in query else "job"
            return httpx.Response(200, json=series(name, api=3))
        return httpx.Response(200, json=_ANSWERS.get(path, {"items": []}))

    async def gathered(self, *, seconds: float = 5.0) -> Snapshot:
        client = httpx.AsyncClient(base_url="http://target", transport=httpx.MockTransport(self.answer))
        ways = Ways(
            objects=Api(client),
            prometheus=PrometheusMetrics(client),
            alertmanager=AlertmanagerApi(client),
            loki=LokiLogs(client),
            ledger=self.read_ledger,
        )
        return await gather_readiness(START, ways, deadline_seconds=seconds)


_ANSWERS: dict[str, Any] = {
    "/api/v1/targets": {
        "status": "success",
        "data": {
            "activeTargets": [
                {
                    "scrapePool": "p",
                    "scrapeUrl": "u",
                    "health": "down",
                    "lastError": "refused",
                    "labels": {"job": "api", "namespace": "default"},
                }
            ]
        },
    },
    "/api/v1/rules": {
        "status": "success",
        "data": {"groups": [{"name": "g", "rules": [{"name": "r", "type": "alerting", "health": "ok"}]}]},
    },
    "/api/v1/status/runtimeinfo": {"status": "success", "data": {"storageRetention": "15d or 10GiB"}},
    "/loki/api/v1/labels": {"status": "success", "data": ["namespace", "pod"]},
    "/api/v2/status": {
        "cluster": {"status": "ready", "peers": [{}, {}]},
        "config": {"original": "route: {receiver: a}\nreceivers: [{name: a}]\n"},
    },
    "/api/v2/alerts": [
        {"startsAt": "2027-01-01T00:00:00Z", "labels": {"alertname": "Watchdog"}, "status": {"state": "active"}},
        {"startsAt": "2027-01-01T00:00:00Z", "labels": {"alertname": "Old"}, "status": {"state": "suppressed"}},
    ],
    "/api/v1/nodes": {"items": [{"metadata": {"name": "a"}}]},
    "/apis/networking.k8s.io/v1/namespaces/default/ingresses": {
        "items": [
            {
                "metadata": {"namespace": "default", "name": "i"},
                "spec": {"tls": [{"secretName": "tls"}, {"secretName": "odd"}, {"hosts": ["x"]}]},
            }
        ]
    },
    "/api/v1/namespaces/default/secrets/tls": {
        "data": {"tls.crt": base64.b64encode(certificate()).decode(), "tls.key": "c2VjcmV0"}
    },
    "/api/v1/namespaces/default/secrets/odd": {"data": {"tls.crt": "bm8="}},
}


async def test_everything_is_asked_for_and_put_into_words() -> None:
    found = await Target().gathered()
    assert found.missing == {"charts": "no helm"}
    assert found.prometheus.scraped == (Scraped("api", "default", "down", "refused"),)
    assert found.prometheus.rules == (Rule("g", "r", "ok"),)
    assert found.prometheus.retention == "15d or 10GiB"
    assert found.prometheus.numbers["budgets"] == {"api": 3.0}
    assert (found.alertmanager.peers, found.alertmanager.alerts) == (2, frozenset({"Watchdog"}))
    assert found.alertmanager.config["route"] == {"receiver": "a"}
    assert found.loki.labels == {"namespace", "pod"}
    assert found.loki.lines == {"api": 3.0}
    assert found.loki.config == {"compactor": {"retention_enabled": True}}, "nothing more than checks read"
    assert found.ledger.drift == ("x",)
    assert found.cluster.metrics_api
    assert [one["metadata"]["name"] for one in found.cluster.of("nodes")] == ["a"]
    assert found.cluster.certificates == {"default/odd": None, "default/tls": UNTIL.timestamp()}
    assert "c2VjcmV0" not in repr(found), "of a key nothing is kept"


async def test_only_the_targets_namespaces_are_looked_at() -> None:
    target = Target()
    await target.gathered()
    of_deployments = [path for path in target.asked if path.endswith("/deployments")]
    spaces = ["default", "monitoring", "logging", "kube-system"]
    assert of_deployments == [f"/apis/apps/v1/namespaces/{name}/deployments" for name in spaces]


async def test_nothing_is_asked_for_twice() -> None:
    target = Target()
    await target.gathered()
    counted = Counter(one for one in target.asked if "/query" not in one)
    assert [one for one, times in counted.items() if times > 1] == []


@pytest.mark.parametrize(
    ("source", "refuses"),
    [
        ("cluster", "/api/v1/nodes"),
        ("cluster", "/apis/apps"),
        ("prometheus", "/api/v1/rules"),
        ("prometheus", "/api/v1/query"),
        ("alertmanager", "/api/v2/status"),
        ("alertmanager", "/api/v2/alerts"),
        ("loki", "/config"),
        ("loki", "/loki"),
    ],
)
async def test_what_refuses_is_missing_and_nothing_else(source: str, refuses: str) -> None:
    found = await Target(refuses=(refuses,)).gathered()
    assert set(found.missing) == {"charts", source}
    assert "403" in found.missing[source]  # type: ignore[index]


@pytest.mark.parametrize(
    ("path", "source"), [("/config", "loki"), ("/api/v2/alerts", "alertmanager"), ("/api/v1/rules", "prometheus")]
)
async def test_an_answer_that_is_none_is_missing(path: str, source: str) -> None:
    found = await Target(broken=path).gathered()
    assert set(found.missing) == {"charts", source}


async def test_what_does_not_answer_in_time_is_missing() -> None:
    found = await Target(ledger=anyio.sleep_forever).gathered(seconds=0.05)
    assert set(found.missing) == {"charts", "ledger"}
    assert found.missing["ledger"] == "no answer within 0.05 s"


@pytest.mark.parametrize(
    "error",
    [ClusterError("gone", seen="away"), ExceptionGroup("several", [EvidenceError("gone", seen="away")]), KeyError("x")],
)
async def test_what_breaks_is_missing_with_its_reason(error: Exception) -> None:
    async def fails() -> None:
        raise error

    found = await Target(ledger=fails).gathered()
    assert set(found.missing) & set(ON_TARGET) == {"ledger"}
    assert found.missing["ledger"] in ("gone: away", "what came cannot be read: KeyError: 'x'")


@pytest.mark.parametrize("path", ["/api/v2/status", "/api/v1/targets", "/api/v1/status/runtimeinfo"])
async def test_an_answer_of_another_shape_is_missing(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_ANSWERS, path, {"status": "success", "data": [1]})
    assert len((await Target().gathered()).missing) == 2
