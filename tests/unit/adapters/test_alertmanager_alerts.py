"""Alerts and silences as Alertmanager's API v2 tells them, and answers that are none of its."""

import httpx
import pytest

from sluice.adapters.prometheus.alertmanager import AlertmanagerApi
from sluice.errors import EvidenceError
from sluice.ports import HeldAlert, Silence

pytestmark = pytest.mark.anyio
ALERT = {
    "labels": {"alertname": "SecretInLogs", "severity": "critical"},
    "startsAt": "2026-11-07T14:00:00.500Z",
    "endsAt": "2026-11-07T14:10:00Z",
    "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
}
SILENCE = {
    "id": "1",
    "startsAt": "2026-11-07T14:00:00Z",
    "endsAt": "2026-11-07T16:00:00Z",
    "createdBy": "ada",
    "comment": "known",
    "matchers": [
        {"name": "alertname", "value": "Down", "isRegex": False, "isEqual": True},
        {"name": "service", "value": "a|b", "isRegex": True, "isEqual": False},
        {"name": "old", "value": "x", "isRegex": False},
    ],
}


def alertmanager(response: httpx.Response) -> AlertmanagerApi:
    return AlertmanagerApi(
        httpx.AsyncClient(base_url="http://alertmanager", transport=httpx.MockTransport(lambda _: response))
    )


async def test_alerts() -> None:
    found = await alertmanager(httpx.Response(200, json=[ALERT])).alerts()
    assert found == (HeldAlert(1794060000.5, ALERT["labels"], "active"),)  # type: ignore[arg-type]


async def test_silences_with_their_matchers_as_they_are_written() -> None:
    (found,) = await alertmanager(httpx.Response(200, json=[SILENCE])).silences()
    told = 'alertname="Down", service!~"a|b", old="x"'
    assert found == Silence(1794060000.0, 1794067200.0, "ada", "known", told)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, json=[{"labels": {}}]),
        httpx.Response(200, json={"no": "list"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(503, text="no endpoints"),
    ],
)
async def test_what_is_no_answer_of_it_is_told(response: httpx.Response) -> None:
    with pytest.raises(EvidenceError):
        await alertmanager(response).alerts()
    with pytest.raises(EvidenceError):
        await alertmanager(response).silences()


@pytest.mark.parametrize(
    ("cluster", "peers"), [({"peers": [{}, {}]}, 2), ({"peers": []}, 1), ({"status": "disabled"}, 1)]
)
async def test_what_it_runs_with_and_whom_it_knows(cluster: dict[str, object], peers: int) -> None:
    answer = {"cluster": cluster, "config": {"original": "route: {receiver: a}"}}
    assert await alertmanager(httpx.Response(200, json=answer)).status() == ({"route": {"receiver": "a"}}, peers)


@pytest.mark.parametrize(
    "answer",
    [
        {"cluster": {}, "config": {"original": "a: [hunter2"}},
        {"cluster": {}, "config": {"original": "hunter2"}},
        {"cluster": {}, "config": {}},
        {"cluster": 1, "config": {"original": "a: b"}},
        {"cluster": {"peers": 3}, "config": {"original": "a: b"}},
        [],
    ],
)
async def test_a_status_that_is_none_is_told_without_its_words(answer: object) -> None:
    with pytest.raises(EvidenceError) as caught:
        await alertmanager(httpx.Response(200, json=answer)).status()
    assert "hunter2" not in str(caught.value)
