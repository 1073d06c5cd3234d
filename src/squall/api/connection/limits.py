"""The limits of connections and of requests before they are answered, and the addresses that limits are counted by."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from squall.core.errors import ConfigError

Network = IPv4Network | IPv6Network


class Limits(NamedTuple):
    """The limits of a server. Times are in seconds.

    `connections` are all that are open at once, `per_address` those of one address that is not `trusted`. A connection
    whose descriptor is `last_descriptor` or above counts as one too many. `line_bytes` is the length of a request's
    target, `header_bytes` that of target and headers together, `headers` their number. Within `head_seconds` the
    headers of a request must be complete; a body may pause for `body_seconds`; between two requests a connection may
    be idle for `idle_seconds`.
    """

    connections: int = 10_000
    per_address: int = 500
    last_descriptor: int = 1 << 30
    line_bytes: int = 32 << 10
    header_bytes: int = 64 << 10
    headers: int = 100
    head_seconds: float = 20.0
    body_seconds: float = 30.0
    idle_seconds: float = 75.0
    trusted: tuple[Network, ...] = ()


def networks(text: str) -> tuple[Network, ...]:
    """Parses addresses and networks that are separated by commas. Raises `ConfigError`."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ConfigError(
            f"server.trusted_proxies: {error}; give addresses or networks such as 10.0.0.7, 10.1.0.0/16"
        ) from error


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Parses an address. An IPv4 address that is written as one of IPv6 is that IPv4 address. Returns None for any
    other text."""
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_trusted(text: str, trusted: Iterable[Network]) -> bool:
    """Returns True for a loopback address and for one in `trusted`."""
    address = address_of(text)
    return address is not None and (address.is_loopback or any(address in network for network in trusted))


def counted_as(text: str) -> str:
    """Returns the name under which limits count an address: an IPv6 client has a whole /64, so that counts as one."""
    address = address_of(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address.packed[:8].ljust(16, b"\0"), 64)))
    return str(address) if address is not None else text


def client_of(peer: str, forwarded: Iterable[str], trusted: Iterable[Network]) -> str:
    """Returns the client's address: the peer's, or behind a trusted proxy the last one in `X-Forwarded-For` (the
    values `forwarded`) that no trusted proxy has. A proxy adds its peer at the end; what stands before that may be
    forged."""
    client = peer
    hops = [hop for value in forwarded for hop in value.split(",")]
    while hops and is_trusted(client, trusted):
        hop = address_of(hops.pop())
        if hop is None:
            break
        client = str(hop)
    return client
