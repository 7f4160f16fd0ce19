"""Where webhooks may not go, whatever the URL and whatever the DNS says (SSRF, DNS rebinding)."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import httpcore
import pytest

from notification.addresses import AddressPolicy, AddressRefused, CheckedBackend, SystemResolver, UnknownHost

pytestmark = pytest.mark.anyio

REFUSED = [
    *("127.0.0.1", "127.8.9.10", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.1.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254"),
    *("fd20:ce::254", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::", "3fff::1", "100::1", "5f00::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b::10.0.0.1", "64:ff9b:1::1", "4000::1"),
]
PUBLIC = ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        AddressPolicy((), ()).check(address)
    assert address not in str(caught.value), "what an inner DNS says is nobody's business"


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_let_through(address: str) -> None:
    AddressPolicy((), ()).check(address)


def test_the_operator_may_refuse_more() -> None:
    policy = AddressPolicy((), [ip_network("93.184.0.0/16")])
    policy.check("1.1.1.1")
    for address in ("93.184.216.34", "::ffff:93.184.216.34"):
        with pytest.raises(AddressRefused):
            policy.check(address)


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("notification", 8000, True),
        ("NOTIFICATION", 8000, True),
        ("notification", 3500, True),
        ("receiver.default", 8080, True),
        ("receiver.default", 3500, False),
        ("::1", 80, True),
        ("notification.", 8000, False),
        ("notification.evil.example", 8000, False),
        ("xnotification", 8000, False),
    ],
)
def test_allowed_hosts_are_exact(host: str, port: int, allowed: bool) -> None:
    assert AddressPolicy(["notification", "receiver.default:8080", "[::1]"], ()).allows(host, port) is allowed


class Network(httpcore.AsyncMockBackend):
    """Notes where it is asked to connect."""

    def __init__(self) -> None:
        super().__init__([])
        self.connected: list[str] = []

    async def connect_tcp(self, host: str, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        self.connected.append(host)
        if host == "1.1.1.1":
            raise httpcore.ConnectError("refused by this test")
        return await super().connect_tcp(host, *args, **options)


def resolving(*answers: list[str]) -> Any:
    """Return a resolver that gives the answers one after another."""
    left = list(answers)

    async def resolve(_host: str, _port: int) -> list[str]:
        return left.pop(0)

    return resolve


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    network = Network()
    resolve = resolving(["93.184.216.34"], ["127.0.0.1"])
    backend = CheckedBackend(AddressPolicy((), ()), resolve, network)
    await backend.connect_tcp("rebinding.example", 80)
    assert network.connected == ["93.184.216.34"], "an address, so that nothing resolves the name again"
    with pytest.raises(AddressRefused):
        await backend.connect_tcp("rebinding.example", 80)
    assert network.connected == ["93.184.216.34"]


async def test_one_inner_address_among_public_ones_is_enough_to_refuse() -> None:
    network = Network()
    backend = CheckedBackend(AddressPolicy((), ()), resolving(["93.184.216.34", "10.0.0.1"]), network)
    with pytest.raises(AddressRefused):
        await backend.connect_tcp("mixed.example", 80)
    assert network.connected == []


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    network = Network()
    backend = CheckedBackend(AddressPolicy((), ()), resolving(["1.1.1.1", "93.184.216.34"], ["1.1.1.1"], []), network)
    await backend.connect_tcp("two.example", 80)
    assert network.connected == ["1.1.1.1", "93.184.216.34"]
    with pytest.raises(httpcore.ConnectError):
        await backend.connect_tcp("one.example", 80)
    with pytest.raises(UnknownHost):
        await backend.connect_tcp("none.example", 80)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "localhost", "::1"])
async def test_however_loopback_is_written_it_is_refused(host: str) -> None:
    network = Network()
    backend = CheckedBackend(AddressPolicy((), ()), SystemResolver(), network)
    with pytest.raises(AddressRefused):
        await backend.connect_tcp(host, 80)
    assert network.connected == []


@pytest.mark.parametrize("host", ["nobody.invalid", "x" * 64 + ".invalid", "a..b"])
async def test_a_host_without_an_address_is_told_so(host: str) -> None:
    with pytest.raises(UnknownHost, match="the host has no address"):
        await SystemResolver()(host, 80)
