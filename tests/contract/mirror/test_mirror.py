"""MirrorMaker with the fixture's settings between brokers: what arrives, where consumers go on, what a kill costs."""

import re
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.contract.mirror.conftest import Regions
from tests.contract.mirror.rigs import until

from sluice.regions.mirror import Lag, parse

KEYS = 5
RULES = Path(__file__).parents[3] / "helm" / "monitoring" / "rules" / "regions.yaml"


def events(first: int, count: int) -> list[str]:
    """Numbered events, as `key:number`."""
    return [f"user{number % KEYS}:{number}" for number in range(first, first + count)]


def read(lines: Sequence[str]) -> list[str]:
    """The events of lines as a consumer prints them."""
    return [line.split(":", 2)[2] for line in lines]


def by_key(found: Sequence[str]) -> dict[str, list[int]]:
    """The numbers of each key, in the order in which they came."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for event in found:
        key, _, number = event.partition(":")
        numbers[key].append(int(number))
    return dict(numbers)


def lag(regions: Regions) -> Lag:
    return parse(regions.rig.lag(regions.source.external, regions.target.plain))


def committed(regions: Regions, group: str, topic: str) -> dict[str, int]:
    """What a group has committed in the region that stands by, by partition; empty where it has nothing."""
    words = ("--bootstrap-server", regions.target.plain, "--describe", "--group", group, "--offsets")
    try:
        said = regions.rig.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", *words)
    except AssertionError:  # there is no such group yet
        return {}
    rows = [line.split() for line in said.splitlines() if line.startswith(group)]
    return {row[2]: int(row[3]) for row in rows if row[1] == topic and row[3].isdigit()}


def told(address: str) -> set[str]:
    """The names of the metrics that have a value now; none while nobody answers."""
    try:
        text = httpx.get(address, trust_env=False).text
    except httpx.TransportError:
        return set()
    return {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}


def alerted() -> set[str]:
    """The mirror's metrics that alerts are about."""
    found = set(re.findall(r"kafka_mirror_\w+", RULES.read_text(encoding="utf-8")))
    assert found, f"no alert in {RULES} is about the mirror"
    return found


@pytest.mark.usefixtures("mirror")
def test_events_arrive_in_order_and_once_and_consumers_go_on_at_their_place(regions: Regions) -> None:
    rig, source, target = regions.rig, regions.source, regions.target
    heard, unheard = events(0, 40), events(40, 30)
    rig.produce(source, "tasks", heard)
    with rig.reading(target, "tasks") as arrived:
        assert by_key(read(until(arrived, lambda lines: len(lines) >= 40, log=regions.log))) == by_key(heard)
        # A consumer of the active region hears them, and commits.
        whole = ("--group", "audit", "--from-beginning", "--max-messages", "40")
        before = rig.tool(*rig.consumer(source, "tasks", *whole))
        assert len(before.splitlines()) == 40
        rig.produce(source, "tasks", unheard)
        lines = until(arrived, lambda lines: len(lines) >= 70, log=regions.log)
        assert by_key(read(lines)) == by_key([*heard, *unheard])
    partitions = {line.split(":")[1] for line in lines}
    until(lambda: told(rig.metrics), lambda found: found >= alerted(), log=regions.log)
    until(lambda: committed(regions, "audit", "tasks"), lambda found: found.keys() == partitions, log=regions.log)
    # The switch: the same group, in the other region.
    after = rig.tool(*rig.consumer(target, "tasks", "--group", "audit", "--timeout-ms", "4000")).splitlines()
    again = [event for event in read(after) if event in heard]
    assert set(unheard) <= set(read(after)), "what it had not heard must not be missed"
    assert len(again) <= len(partitions), "it goes on at its place, or one event before"


def test_a_killed_mirror_goes_on_without_a_gap_and_what_it_lacks_is_counted(
    regions: Regions, mirror: subprocess.Popen[bytes]
) -> None:
    rig, source, target = regions.rig, regions.source, regions.target
    first, second, third = events(0, 40), events(40, 25), events(65, 10)
    rig.produce(source, "reminders", first)
    with rig.reading(target, "reminders") as arrived:
        until(arrived, lambda lines: len(lines) >= 1, log=regions.log)
        mirror.kill()
        mirror.wait()
        with rig.mirror(source, target):  # at once, as a kubelet does: for Connect the killed one is still there
            rig.produce(source, "reminders", second)
            wanted = {*first, *second}
            lines = until(arrived, lambda lines: wanted <= set(read(lines)), log=regions.log)
            until(lambda: lag(regions), lambda found: found == Lag(), log=regions.log)
    came = read(lines)
    assert by_key(list(dict.fromkeys(came))) == by_key([*first, *second]), "in order, but for what came again"
    assert {event for event in came if came.count(event) > 1} <= set(first), "what came after the kill comes once"
    rig.produce(source, "reminders", third)
    assert lag(regions).events == len(third)
