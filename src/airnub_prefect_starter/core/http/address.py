"""Which network addresses a source may lead to; asked for every connection, after name resolution.

Text is no help here: ``2130706433``, ``0x7f.1``, ``127.1`` and many names all are loopback.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple

from airnub_prefect_starter.common.errors import BlockedUrlError
from airnub_prefect_starter.core.http.policy import AccessPolicy

PUBLIC_PORTS = (80, 443)

# `is_global` is true for some of these (all of them in one Python version or another), though they
# lead to embedded IPv4 addresses or to the local network.
_NEVER_PUBLIC = tuple(
    ip_network(each)
    for each in (
        *("64:ff9b::/96", "64:ff9b:1::/48"),  # NAT64, RFC 6052 and 8215
        *("2002::/16", "192.88.99.0/24"),  # 6to4, RFC 3056 and 7526
        "2001::/32",  # Teredo, RFC 4380
        "::/96",  # IPv4-compatible, RFC 4291
        "fec0::/10",  # site-local, RFC 3879
        "192.0.0.0/24",  # protocol assignments, RFC 6890
    )
)


class Endpoint(NamedTuple):
    """Where to connect to, as `socket.getaddrinfo` says it."""

    family: int
    kind: int
    protocol: int
    canonical_name: str
    sockaddr: tuple[Any, ...]


def resolve(host: str, port: int, policy: AccessPolicy) -> list[Endpoint]:
    """Resolve a host once and return its endpoints if every one of them is allowed.

    Raises:
        BlockedUrlError: One of them is not, or the host cannot be a name. No retry.
        OSError: The name does not resolve.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise BlockedUrlError(f"{host!r} cannot be a host name", "Correct the address") from None
    endpoints = [Endpoint(*each) for each in found]
    for endpoint in endpoints:
        _check(host, str(endpoint.sockaddr[0]), port, policy)
    return endpoints


def check_host(host: str, policy: AccessPolicy) -> None:
    """Refuse a host that is not among the allowed ones, where the policy names some.

    Raises:
        BlockedUrlError: It is not. No retry.
    """
    allowed = policy.allow_hosts
    if allowed is not None and host not in {each.lower() for each in allowed}:
        raise BlockedUrlError(
            f"The host {host} is not among the allowed: {', '.join(allowed)}",
            "Add it to `access.allow_hosts` of the source if it should be",
        )


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is one of the public internet."""
    if any(address in network for network in _NEVER_PUBLIC):
        return False
    return address.is_global and not address.is_multicast


def _check(host: str, text: str, port: int, policy: AccessPolicy) -> None:
    address = _parse(text)
    named = host if host.strip("[]") == text else f"{host} ({address})"
    listed = any(address in network for network in policy.allow_networks)
    if not listed and not is_public(address):
        raise BlockedUrlError(
            f"{named} is not a public address",
            "If the source should be there, name its network in `access.allow_networks`",
        )
    if not _port_allowed(port, policy, listed=listed):
        raise BlockedUrlError(
            f"Port {port} of {named} is not allowed",
            "If the source should be there, name the port in `access.allow_ports`",
        )


def _port_allowed(port: int, policy: AccessPolicy, *, listed: bool) -> bool:
    if policy.allow_ports is None:
        return listed or port in PUBLIC_PORTS
    return port in policy.allow_ports


def _parse(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text.partition("%")[0])
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
