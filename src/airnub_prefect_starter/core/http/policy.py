"""What a source may reach and how much it may take, as configuration."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import BeforeValidator, Field

from airnub_prefect_starter.core.configuration import ConfigModel

GIB = 1 << 30


def _parse_network(value: object) -> object:
    """Parse the text here: the union of two types would report each mistake twice."""
    if not isinstance(value, str):
        return value
    try:
        return ip_network(value)
    except ValueError as error:
        raise ValueError(f"{error}; write 10.0.0.0/8, for example") from None


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_parse_network)]
Port = Annotated[int, Field(ge=1, le=65_535)]


class HttpLimits(ConfigModel):
    """How much and how long, so that no server can hold a run or fill a disk."""

    max_bytes: int = Field(default=10 * GIB, ge=1, description="Largest body, in bytes")
    connect_timeout_s: float = Field(
        default=10, gt=0, description="Connecting, to all addresses of a name"
    )
    idle_timeout_s: float = Field(default=30, gt=0, description="Longest silence of the server")
    total_timeout_s: float = Field(
        default=6 * 3600, gt=0, description="For all requests of one source, waiting included"
    )
    min_bytes_per_s: float = Field(
        default=1024, ge=0, description="Least mean rate over each `rate_window_s`"
    )
    rate_window_s: float = Field(default=60, gt=0, description="What `min_bytes_per_s` is about")
    max_redirects: int = Field(default=5, ge=0, le=20)
    max_retry_after_s: float = Field(
        default=60, ge=0, description="Longest Retry-After that is waited for"
    )
    max_requests_per_host: int = Field(default=4, ge=1, description="At once, in this process")
    requests_per_second: float | None = Field(
        default=None, gt=0, description="Most requests per second to the host; none: no limit"
    )


class AccessPolicy(ConfigModel):
    """Which addresses a source may lead to; by default any public one on port 80 and 443.

    Source: OWASP, Server-Side Request Forgery Prevention Cheat Sheet.
    """

    allow_networks: tuple[Network, ...] = Field(
        default=(), description="Networks that are not public and still allowed, such as 10.0.0.0/8"
    )
    allow_ports: tuple[Port, ...] | None = Field(
        default=None,
        description="The only ports; by default 80 and 443, and any port in `allow_networks`",
    )
    allow_hosts: tuple[str, ...] | None = Field(
        default=None, description="The only hosts, also of redirects; by default any"
    )
    allow_files: bool = Field(
        default=False, description="May the address be that of a file where the run is (file:///)"
    )
