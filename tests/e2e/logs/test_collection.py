"""What pods write is what Loki has: to the last line of one that dies, and without the secrets in it."""

import json
import time

import pytest
from tests.e2e.kube import Kube
from tests.e2e.logs.writers import Writers
from tests.e2e.support import SHIPPED_WITHIN, SKEW_SECONDS, eventually

from sluice.adapters.loki.client import LokiLogs
from sluice.ports import LogLine
from sluice.steps.run_suites import SuiteContext

pytestmark = pytest.mark.anyio

LINES = 10_000
NUMBERED = f"""
import sys
for number in range({LINES}):
    print(f"{{number:05}} " + "x" * (number % 200))
sys.exit(3)
"""
ECHO = "import sys; print('\\n'.join(sys.argv[1:]))"
# Nobody's: made up here, in the shape of what must not be seen.
JWT = ".".join(("eyJhbGciOiJFUzI1NiJ9", "eyJzdWIiOiJub2JvZHkifQ", "bm90LWEtc2lnbmF0dXJl"))
SECRETS = {
    "jwt": ("taken: {}", JWT),
    "authorization": ("Authorization: Bearer {}", "opaque-0123456789abcdef"),
    "url-password": ("postgresql://sync:{}@postgresql:5432/sync", "hunter2hunter2"),
    "dapr-api-token": ('{{"headers": {{"dapr-api-token": "{}"}}}}', "f00dfeed-0123-4567"),
    "slack": ("POST https://hooks.slack.com/services/{}", "T000/B000/abcdefghij"),
    "pagerduty": ('{{"routing_key": "{}"}}', 32 * "7"),
}


@pytest.fixture
def writers(kube: Kube, context: SuiteContext) -> Writers:
    """Pods of the services' namespace."""
    return Writers(kube, min(context.services))


async def lines_of(loki: LokiLogs, pod: str, since: float, *, limit: int = 2 * LINES) -> tuple[LogLine, ...]:
    return await loki.lines(f'{{pod="{pod}"}}', start=since - SKEW_SECONDS, end=time.time() + SKEW_SECONDS, limit=limit)


async def test_every_line_of_a_pod_that_dies_is_there_once_and_in_order(writers: Writers, loki: LokiLogs) -> None:
    since = time.time()
    async with writers.pod(NUMBERED) as pod:
        assert await eventually(lambda: writers.ended(pod), within=60) == 3

        async def whole() -> tuple[LogLine, ...]:
            lines = await lines_of(loki, pod, since)
            assert len(lines) >= LINES, f"{len(lines)} of {LINES} lines"
            return lines

        lines = await eventually(whole, within=SHIPPED_WITHIN, every=1)
    assert [int(line.text.split()[0]) for line in lines] == list(range(LINES))
    assert all(line.text == f"{number:05} " + "x" * (number % 200) for number, line in enumerate(lines))
    assert {line.labels["service"] for line in lines} == {pod}


async def test_no_secret_reaches_loki(writers: Writers, loki: LokiLogs) -> None:
    since = time.time()
    written = [template.format(secret) for template, secret in SECRETS.values()]
    expected = [template.format(f"[masked:{kind}]") for kind, (template, _) in SECRETS.items()]
    async with writers.pod(ECHO, *written) as pod:

        async def there() -> list[str]:
            lines = [line.text for line in await lines_of(loki, pod, since)]
            assert len(lines) == len(written), f"{len(lines)} of {len(written)} lines"
            return lines

        assert sorted(await eventually(there, within=SHIPPED_WITHIN)) == sorted(expected)


async def test_a_json_line_keeps_its_fields_and_gives_its_level(writers: Writers, loki: LokiLogs) -> None:
    since, line = time.time(), {"level": "warning", "message": "odd", "user_id": "ann", "pod": "made-up"}
    async with writers.pod(ECHO, json.dumps(line)) as pod:

        async def there() -> LogLine:
            query = f'{{pod="{pod}", level="WARNING"}} | json | user_id="ann"'
            found = await loki.lines(query, start=since - SKEW_SECONDS, end=time.time() + SKEW_SECONDS)
            assert len(found) == 1, f"{query} gives {len(found)} lines"
            return found[0]

        labels = (await eventually(there, within=SHIPPED_WITHIN)).labels
    # A line cannot pass itself off as another pod's: what it says of the labels is called otherwise.
    assert (labels["pod"], labels["pod_extracted"]) == (pod, "made-up")
    assert (labels["level"], labels["level_extracted"]) == ("WARNING", "warning")
