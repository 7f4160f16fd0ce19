"""Jobs: started from a CronJob, waited for, and what they said."""

import json
from typing import Any

import httpx
import pytest

from sluice.adapters.kubernetes.jobs import Jobs
from sluice.errors import ClusterError, NotReady, RecoveryError

pytestmark = pytest.mark.anyio
JOB = {"template": {"spec": {"containers": [{"name": "backup"}]}}}


class Api:
    """An API server with one CronJob, one Job and its pod."""

    def __init__(self, *conditions: dict[str, Any], log: str = "") -> None:
        self.conditions = list(conditions)
        self.log = log
        self.posted: list[dict[str, Any]] = []
        self.exists = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/cronjobs/backup-kafka"):
            return httpx.Response(
                200, json={"spec": {"jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": JOB}}}
            )
        if request.method == "POST":
            self.posted.append(json.loads(request.content))
            return httpx.Response(409 if self.exists else 201, json={"message": "AlreadyExists"})
        if path.endswith("/log"):
            return httpx.Response(200, text=self.log)
        if path.endswith("/pods"):
            status = {"phase": "Running", "containerStatuses": [{"name": "backup", "ready": True, "restartCount": 0}]}
            pod = {"metadata": {"name": "p", "namespace": "shop"}, "spec": {"containers": [{"name": "backup"}]}}
            return httpx.Response(200, json={"items": [{**pod, "status": status}]})
        if "/jobs/" in path:
            condition = self.conditions.pop(0) if len(self.conditions) > 1 else self.conditions[0]
            return httpx.Response(200, json={"status": {"conditions": [condition] if condition else []}})
        return httpx.Response(404, json={"message": "not found"})

    def jobs(self) -> tuple[httpx.AsyncClient, Jobs]:
        client = httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(self))
        return client, Jobs(client, poll_seconds=0.0)


DONE = {"type": "Complete", "status": "True"}
FAILED = {"type": "Failed", "status": "True", "message": "BackoffLimitExceeded"}


async def test_a_job_is_what_its_cronjob_would_start() -> None:
    api = Api(DONE)
    client, jobs = api.jobs()
    async with client:
        await jobs.start_from("shop", "backup-kafka", "backup-kafka-1")
        api.exists = True
        await jobs.start_from("shop", "backup-kafka", "backup-kafka-1")
        with pytest.raises(ClusterError):
            await jobs.start_from("shop", "another", "x")
    assert api.posted[0]["spec"] == JOB
    assert api.posted[0]["metadata"] == {"name": "backup-kafka-1", "namespace": "shop", "labels": {"a": "b"}}


async def test_its_last_json_is_what_it_told() -> None:
    client, jobs = Api({}, {}, DONE, log='doing\n{"snapshot": "s", "sha256": "1"}\n{not json\n').jobs()
    async with client:
        assert await jobs.ended("shop", "x", deadline_seconds=10) == {"snapshot": "s", "sha256": "1"}


async def test_one_that_says_no_json_told_nothing() -> None:
    client, jobs = Api(DONE, log="status: ok\n[1]\n").jobs()
    async with client:
        assert await jobs.ended("shop", "x", deadline_seconds=10) == {}


async def test_one_that_failed_is_told_with_its_last_words() -> None:
    client, jobs = Api(FAILED, log="restore.sh: /data is not empty\n").jobs()
    async with client:
        with pytest.raises(RecoveryError) as caught:
            await jobs.ended("shop", "x", deadline_seconds=10)
    assert "BackoffLimitExceeded" in str(caught.value)
    assert "is not empty" in caught.value.seen


async def test_the_deadline_tells_what_it_was_waiting_for() -> None:
    client, jobs = Api({}).jobs()
    async with client:
        with pytest.raises(NotReady) as caught:
            await jobs.ended("shop", "x", deadline_seconds=0.2)
    assert "p: Running" in caught.value.seen
