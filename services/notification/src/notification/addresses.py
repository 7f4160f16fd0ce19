"""Where webhooks may go. Their URLs are users' own, so they must not reach what only this pod can reach (SSRF).

A host is resolved once, every address that it has must be a public one, and the connection goes to one of those
very addresses: a name that resolves differently the next moment (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import anyio
import anyio.to_thread
import httpcore

from notification.settings import Network

Resolver = Callable[[str, int], Awaitable[list[str]]]

_RESOLVING_AT_ONCE = 8
_GLOBAL_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last 32 bits
# What Python 3.11 takes for public and is not, after the registries of special-purpose addresses
# (https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry), and one more.
_REFUSED = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # IETF protocol assignments; a cloud's metadata is at .192
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # public by number, but Azure's own service for virtual machines
        "2001::/23",  # Teredo and other protocol assignments
        "2002::/16",  # 6to4: an IPv4 address of any kind inside
        "3fff::/20",  # documentation
    )
)


class AddressRefused(Exception):
    """Raised for a host that webhooks may not go to; the text names no address: it may come from an inner DNS."""


class UnknownHost(Exception):
    """Raised for a host that has no address now."""


class AddressPolicy:
    """Which hosts and addresses webhooks may go to."""

    def __init__(self, allowed_hosts: Iterable[str], refused: Iterable[Network]) -> None:
        self._allowed = frozenset(allowed_hosts)
        self._refused = (*_REFUSED, *refused)

    def allows(self, host: str, port: int) -> bool:
        """Say whether the operator named this host, or this host with this port: then it may have any address."""
        named = f"[{host}]" if ":" in host else host.lower()
        return named in self._allowed or f"{named}:{port}" in self._allowed

    def check(self, address: str) -> None:
        """Raise AddressRefused unless it is a public unicast address."""
        found = _inner(ip_address(address.partition("%")[0]))
        public = found.is_global and not found.is_multicast and not found.is_reserved
        if isinstance(found, IPv6Address):
            public = public and found in _GLOBAL_UNICAST
        if not public or any(found in network for network in self._refused):
            raise AddressRefused("the host's address is not a public one")

    def check_literal(self, host: str, port: int) -> None:
        """Raise AddressRefused for a host that is itself an address and not a public one; names pass."""
        try:
            ip_address(host)
        except ValueError:
            return
        if not self.allows(host, port):
            self.check(host)


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that the policy passed, and to no others; for one attempt, which ends with `close`."""

    def __init__(
        self, policy: AddressPolicy, resolve: Resolver, network: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._network = network or httpcore.AnyIOBackend()
        self._opened: list[httpcore.AsyncNetworkStream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check and connect. Raises AddressRefused, UnknownHost and httpcore's errors."""
        addresses = await self._resolve(host, port)
        if not self._policy.allows(host, port):
            # All of them: a host with one inner address among public ones is up to something.
            for address in addresses:
                self._policy.check(address)
        failure: Exception = UnknownHost(f"the host has no address: {host}")
        for address in addresses:
            try:
                stream = await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as error:
                failure = error
            else:
                self._opened.append(stream)
                return stream
        raise failure

    async def close(self) -> None:
        """Close what was opened: httpcore forgets a connection whose TLS handshake is cancelled."""
        with anyio.CancelScope(shield=True):
            for stream in self._opened:
                await stream.aclose()


class SystemResolver:
    """The host's own resolver, in threads of its own: names that never resolve must not keep others waiting."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_RESOLVING_AT_ONCE)

    async def __call__(self, host: str, port: int) -> list[str]:
        """Return the host's addresses in the order of preference. Raises UnknownHost."""

        def look_up() -> list[str]:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return list(dict.fromkeys(str(entry[4][0]) for entry in found))

        try:
            return await anyio.to_thread.run_sync(look_up, abandon_on_cancel=True, limiter=self._limiter)
        except (OSError, UnicodeError) as error:
            raise UnknownHost(f"the host has no address: {host}") from error


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
