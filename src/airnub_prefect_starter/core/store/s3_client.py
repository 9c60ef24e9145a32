"""The S3 client: one per process and endpoint, set up so that bytes cost little and arrive whole.

The body is not signed (that would read it twice more over plain HTTP): its SHA-256 is sent in a
header that is signed, and the server compares. Checksums that boto3 would add by itself are left
out, because servers without trailers store the framing of such a body inside the object.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.store.s3_address import S3Address

_POOL = 32
"""Connections kept open: as many threads can put at once; more wait for one."""


@dataclass(frozen=True, slots=True)
class S3Connection:
    """How a server is reached; what is None comes from the environment, as do the keys.

    ``retries`` are made by the client, with growing pauses, of whatever may help to repeat.
    """

    endpoint_url: str | None = None
    region: str | None = None
    retries: int = 5
    connect_timeout_s: float = 5
    read_timeout_s: float = 120

    @property
    def endpoint(self) -> str:
        """The server's address, for messages and as a name."""
        return str(client_for(self).meta.endpoint_url)


class _Clients:
    """The clients of this process; a forked child starts without, since sockets are not shared."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.lock = Lock()  # another thread may have held the old one when the process forked
        self.known: dict[S3Connection, Any] = {}


_clients = _Clients()
os.register_at_fork(after_in_child=_clients.forget)


def client_for(connection: S3Connection) -> Any:
    """Return this process's client for a server, which many threads may use at once.

    Raises:
        ConfigError: The endpoint or the profile in the environment is wrong. No retry.
    """
    with _clients.lock:
        found = _clients.known.get(connection)
        if found is None:
            found = _clients.known[connection] = _make(connection)
        return found


def close_clients() -> None:
    """Close all connections of this process; the next call opens new ones."""
    with _clients.lock:
        for client in _clients.known.values():
            client.close()
        _clients.known.clear()


def ensure_bucket(address: S3Address, connection: S3Connection) -> bool:
    """Make the bucket of an address unless it is there; tell whether it was made.

    Raises:
        ClientError: It cannot be made, or belongs to somebody else.
    """
    client = client_for(connection)
    region = client.meta.region_name
    options = (
        {}
        if region in {None, "us-east-1", "aws-global"}
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    try:
        client.create_bucket(Bucket=address.bucket, **options)
    except (client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
        return False
    return True


def _make(connection: S3Connection) -> Any:
    config = Config(
        signature_version="s3v4",
        max_pool_connections=_POOL,
        connect_timeout=connection.connect_timeout_s,
        read_timeout=connection.read_timeout_s,
        tcp_keepalive=True,
        retries={"mode": "standard", "max_attempts": connection.retries},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path", "payload_signing_enabled": False},
    )
    try:
        client = boto3.session.Session().client(
            "s3",
            config=config,
            endpoint_url=connection.endpoint_url,
            # boto3 itself reads only AWS_DEFAULT_REGION; every other client reads both.
            region_name=connection.region or os.environ.get("AWS_REGION") or None,
        )
    except (BotoCoreError, ValueError) as exc:
        raise ConfigError(
            f"There is no way to the object store: {exc}",
            "Correct AWS_ENDPOINT_URL, AWS_REGION and AWS_PROFILE",
        ) from exc
    client.meta.events.register("before-call.s3.DeleteObjects", _add_content_md5)
    return client


def _add_content_md5(params: dict[str, Any], **_: object) -> None:
    """Add what servers of before 2025 demand; it is signed and stands beside the newer checksum."""
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()
