"""Examining the place of a store, whether there is one yet or not."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.local import LocalBackend
from airnub_prefect_starter.core.store.probe import Finding
from airnub_prefect_starter.core.store.probe_local import local_findings
from airnub_prefect_starter.core.store.probe_s3 import s3_findings
from airnub_prefect_starter.core.store.s3_address import parse_s3_url
from airnub_prefect_starter.core.store.s3_bucket import S3Bucket
from airnub_prefect_starter.core.store.s3_client import S3Connection, ensure_bucket
from airnub_prefect_starter.core.store.s3_faults import is_about_bucket, translated
from airnub_prefect_starter.core.store.s3_opening import read_marker
from airnub_prefect_starter.core.store.store import Store

_NONE_YET = "is not there yet: the first write makes it"


@dataclass(frozen=True, slots=True)
class Examination:
    """What was seen: the storage (a server's address, or a disk), the store, and the answers."""

    url: str
    storage: str
    bucket: str | None
    store: str
    findings: tuple[Finding, ...]


def examine_bucket(
    url: str,
    *,
    create_bucket: bool = False,
    endpoint_url: str | None = None,
    region: str | None = None,
) -> Examination:
    """Ask a server what it can do at an address, making the bucket first if that is wished.

    Raises:
        ConfigError: There is no such bucket, or the store in it has another layout. No retry.
        StoreError: The server cannot be asked at all.
    """
    bucket = S3Bucket(parse_s3_url(url), S3Connection(endpoint_url=endpoint_url, region=region))
    with translated(f"Examining {url}"):
        made = create_bucket and _made(bucket)
        next(bucket.list(layout.TMP, MaxKeys=1))  # says whether the bucket is there and is ours
        marker = read_marker(bucket)
    if marker is not None:
        layout.check_marker(marker)
    return Examination(
        url=url,
        storage=bucket.connection.endpoint,
        bucket="was made" if made else "is there",
        store="is there" if marker is not None else _NONE_YET,
        findings=tuple(s3_findings(bucket)),
    )


def _made(bucket: S3Bucket) -> bool:
    """Make a bucket that is missing; a key that may not make any need not try."""
    try:
        next(bucket.list(layout.TMP, MaxKeys=1))
    except ClientError as exc:
        if is_about_bucket(exc):
            return ensure_bucket(bucket.address, bucket.connection)
        raise
    return False


def examine_local(url: str, store: Store) -> Examination:
    """Ask the disk of a local store what it can do.

    Raises:
        StoreError: The folder cannot be read or written.
    """
    backend = store.backend
    if not isinstance(backend, LocalBackend):
        raise TypeError(f"{url} is not on a disk")
    return Examination(url, "disk", None, "is there", tuple(local_findings(backend)))
