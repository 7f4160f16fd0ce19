"""How far the mirror is: counted by the source's offsets, never taken for 0 where it is not known; and its keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from sluice.errors import FailoverError, NotReady, RecoveryError
from sluice.regions.mirror import Lag, parse
from sluice.steps.mirror_lag import KEYS, all_copied, mirror_lag, region_keys

pytestmark = pytest.mark.anyio
Told = dict[str, Any]
SPACE = "default"


def told(*partitions: tuple[str, int, int, int | None]) -> Told:
    """What lag.sh tells: partition, oldest, end, and what was copied last, if anything."""
    return {
        "oldest": [f"{name}:{oldest}" for name, oldest, _, _ in partitions],
        "end": [f"{name}:{end}" for name, _, end, _ in partitions],
        "copied": [f"{name}:{copied}" for name, _, _, copied in partitions if copied is not None],
    }


def test_what_is_copied_up_to_the_last_event_is_no_lag() -> None:
    lag = parse(told(("tasks:0", 0, 42, 41), ("tasks:1", 0, 0, None)))
    assert lag == Lag()
    assert (lag.events, str(lag)) == (0, "everything is copied")


def test_events_after_the_last_copied_are_counted_by_partition() -> None:
    lag = parse(told(("tasks:0", 0, 45, 41), ("tasks:1", 0, 9, 8), ("reminders:2", 0, 2, None)))
    assert lag.behind == {"tasks:0": 3, "reminders:2": 2}
    assert lag.events == 5
    assert str(lag) == "5 not copied yet (3 of tasks:0, 2 of reminders:2)"


def test_what_had_expired_before_anything_was_copied_is_nobodys_lack() -> None:
    """A quiet topic: all that it ever had is older than its retention."""
    assert parse(told(("tasks:0", 50, 50, None))) == Lag()
    assert parse(told(("tasks:0", 50, 60, None))).behind == {"tasks:0": 10}


def test_what_the_source_let_go_before_it_was_copied_is_told_apart() -> None:
    lag = parse(told(("tasks:0", 30, 40, 19)))
    assert (lag.behind, lag.gone, lag.events) == ({"tasks:0": 10}, {"tasks:0": 10}, 20)
    assert "10 gone before they were copied (10 of tasks:0)" in str(lag)


def test_what_was_copied_once_and_is_no_topic_any_more_does_not_count() -> None:
    assert parse({**told(("tasks:0", 0, 1, 0)), "copied": ["tasks:0:0", "deleted:0:7"]}) == Lag()


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({}, "[]"),
        ({"oldest": [], "end": [], "copied": []}, "end of 0"),
        ({"oldest": ["tasks:0:0"], "end": ["tasks:0:1", "tasks:1:1"], "copied": []}, "oldest of 1, end of 2"),
        ({"oldest": ["tasks:0:0"], "end": ["tasks:0:"], "copied": []}, "tasks:0:"),
        ({"oldest": ["tasks:0:0"], "end": ["tasks:0:-1"], "copied": []}, "tasks:0:-1"),
        ({"oldest": ["tasks"], "end": ["tasks:0:1"], "copied": []}, "'tasks'"),
        (told(("tasks:0", 0, 3, 41)), "42 copied"),
    ],
)
def test_what_cannot_be_is_not_taken_for_no_lag(given: Told, seen: str) -> None:
    with pytest.raises(FailoverError) as caught:
        parse(given)
    assert seen in caught.value.seen
    assert "mirror-lag" in caught.value.next_command


@dataclass
class Asked:
    """Implements JobRunner: what each Job tells, in order, or how it ends; the last one goes on."""

    answers: list[Told | Exception]
    started: list[tuple[str, str, str]] = field(default_factory=list)

    async def start_from(self, namespace: str, cronjob: str, name: str) -> None:
        self.started.append((namespace, cronjob, name))

    async def ended(self, namespace: str, name: str, *, deadline_seconds: float) -> dict[str, Any]:
        assert self.started[-1][2] == name
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_both_brokers_are_asked_by_the_cronjob_that_never_comes_due() -> None:
    jobs = Asked([told(("tasks:0", 0, 45, 41))])
    assert (await mirror_lag(jobs, SPACE, "a1")).events == 3
    assert jobs.started == [(SPACE, "mirror-lag", "mirror-lag-a1")]


async def test_it_is_asked_until_everything_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.steps.mirror_lag._PAUSE_SECONDS", 0)
    failed = RecoveryError("the Job failed", seen="no broker", expected="one", next_command="look")
    jobs = Asked([told(("tasks:0", 0, 45, 41)), failed, told(("tasks:0", 0, 45, 44))])
    await all_copied(jobs, SPACE, "a1", deadline_seconds=5)
    assert [name for _, _, name in jobs.started] == ["mirror-lag-a1-1", "mirror-lag-a1-2", "mirror-lag-a1-3"]


async def test_what_is_gone_is_not_waited_for() -> None:
    await all_copied(Asked([told(("tasks:0", 30, 40, 39), ("tasks:1", 9, 9, 3))]), SPACE, "a1", deadline_seconds=5)


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (told(("tasks:0", 0, 45, 41)), "3 not copied yet (3 of tasks:0)"),
        (RecoveryError("the Job failed", seen="no broker", expected="one", next_command="look"), "no broker"),
        ({}, "did not tell how far the mirror is"),
    ],
)
async def test_the_deadline_tells_what_is_missing_or_why_nobody_knows(
    monkeypatch: pytest.MonkeyPatch, answer: Told | Exception, seen: str
) -> None:
    monkeypatch.setattr("sluice.steps.mirror_lag._PAUSE_SECONDS", 0.001)
    with pytest.raises(NotReady) as caught:
        await all_copied(Asked([answer]), SPACE, "a1", deadline_seconds=0.05)
    assert seen in caught.value.seen


class Secrets:
    """Implements steps.install_region.Secrets: one cluster's."""

    def __init__(self, **kept: Mapping[str, str]) -> None:
        self.kept = dict(kept)

    async def ensure_secret(
        self, name: str, namespace: str, values: Mapping[str, str], *, kind: str = "Opaque"
    ) -> None:
        assert namespace == SPACE
        self.kept.setdefault(name, dict(values))

    async def read_secret(self, name: str, namespace: str) -> dict[str, str]:
        return dict(self.kept.get(name, {}))


async def test_both_regions_have_the_same_keys_and_each_others_broker() -> None:
    east, west = Secrets(), Secrets()
    await region_keys(east, None, "sluice", SPACE, "east")
    await region_keys(east, west, "sluice", SPACE, "east")
    ours, theirs = east.kept[KEYS], west.kept[KEYS]
    assert (ours["source"], theirs["source"]) == (
        "sluice-west-control-plane:30094",
        "sluice-east-control-plane:30094",
    )
    assert {**ours, "source": ""} == {**theirs, "source": ""}
    before = dict(ours)
    await region_keys(west, east, "sluice", SPACE, "west")  # after a switch
    assert east.kept[KEYS] == before


async def test_the_certificate_is_for_both_nodes_as_server_and_as_client() -> None:
    east = Secrets()
    await region_keys(east, None, "sluice", SPACE, "east")
    pem = east.kept[KEYS]["keystore.pem"].encode()
    key = serialization.load_pem_private_key(pem, password=None)
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----"), "Kafka reads PKCS #8 and nothing else"
    [certificate] = x509.load_pem_x509_certificates(pem)
    assert certificate.public_key() == key.public_key()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["sluice-east-control-plane", "sluice-west-control-plane"]
    usages = set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert usages == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    authority = x509.load_pem_x509_certificate(east.kept[KEYS]["ca.crt"].encode())
    certificate.verify_directly_issued_by(authority)


async def test_keys_of_its_own_are_told_and_left() -> None:
    east, west = Secrets(), Secrets(**{KEYS: {"ca.crt": "another"}})
    with pytest.raises(FailoverError, match="west has a Secret kafka-region of its own") as caught:
        await region_keys(east, west, "sluice", SPACE, "east")
    assert "PRIVATE" not in str(caught.value)
    assert west.kept[KEYS] == {"ca.crt": "another"}
