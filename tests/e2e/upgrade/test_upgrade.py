"""The previous release and this one replace each other under load, and nobody who uses the system sees it."""

import pytest
from tests.e2e.effects import assert_once
from tests.e2e.support import EFFECT_WITHIN, eventually
from tests.e2e.upgrade.both_ways import READ, Upgrade

from sluice.steps.run_suites import SuiteContext

pytestmark = [pytest.mark.anyio, pytest.mark.disturbing]

WAYS = ("previous", "this")
LEAST_REQUESTS = 50
# A WebSocket's client connects again at once; what it missed it is told then.
SILENT_AT_MOST = 10.0


@pytest.mark.parametrize("to", WAYS)
async def test_no_request_fails(upgrade: Upgrade, to: str, context: SuiteContext) -> None:
    asked = upgrade.ways[to].asked
    assert len(asked) >= LEAST_REQUESTS, f"{len(asked)} requests say little"
    assert {one.service for one in asked} == {"backend", *(READ.keys() & context.services.keys())}
    failed = [f"{one.service}: {one.status} {one.cause}" for one in asked if not one.ok]
    assert not failed, f"{len(failed)} of {len(asked)} requests failed: {failed[:5]}"


@pytest.mark.parametrize("to", WAYS)
async def test_a_websockets_client_is_sent_to_another_pod_and_misses_nothing(upgrade: Upgrade, to: str) -> None:
    way = upgrade.ways[to]
    assert way.lost, "its pod was replaced, and its connection did not end"
    assert way.silence <= SILENT_AT_MOST, f"{way.silence:.1f} s without a connection: {way.lost}"
    numbers = [number for number, _ in upgrade.ear.heard]
    assert numbers == list(range(1, len(numbers) + 1))
    missed = {one.task for one in upgrade.load.taken} - {task for _, task in upgrade.ear.heard}
    assert not missed, f"{len(missed)} of {len(upgrade.load.taken)} tasks were not heard of"


async def test_every_task_is_there_and_has_one_effect(upgrade: Upgrade) -> None:
    taken = {one.task for one in upgrade.load.taken}
    assert {task["id"] for task in await upgrade.effects.tasks()} == taken

    async def there() -> None:
        assert_once(await upgrade.effects.created(), taken, where="audit")
        assert sorted(task for _, _, task in await upgrade.effects.changes()) == sorted(taken)

    await eventually(there, within=EFFECT_WITHIN, every=1)


async def test_what_runs_is_this_release_again(upgrade: Upgrade, context: SuiteContext) -> None:
    revisions = await upgrade.releases.revisions()
    assert {name: revisions[name] - before for name, before in upgrade.revisions.items()} == dict.fromkeys(
        context.services, 2
    )
    for service in context.services:
        spec = (await upgrade.releases.kube.scaled(service))["spec"]["template"]["spec"]
        source = spec["containers"][0]["envFrom"][0]["configMapRef"]["name"]
        path = f"api/v1/namespaces/{context.namespace}/configmaps/{source}"
        assert "RELEASE" not in (await upgrade.releases.kube.get(path))["data"], service
