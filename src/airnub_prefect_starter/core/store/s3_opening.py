"""Opening a store in a bucket: its marker says that it is one, and of which layout."""

from __future__ import annotations

from botocore.exceptions import ClientError

from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.s3 import S3Backend
from airnub_prefect_starter.core.store.s3_address import parse_s3_url
from airnub_prefect_starter.core.store.s3_bucket import S3Bucket
from airnub_prefect_starter.core.store.s3_client import S3Connection
from airnub_prefect_starter.core.store.s3_faults import translated


def open_s3(url: str, connection: S3Connection, *, create: bool) -> S3Backend:
    """Open the store at ``s3://bucket/prefix``, making its marker where nothing is yet.

    Raises:
        ConfigError: No such address or bucket, or something else is there. No retry.
        ObjectNotFoundError: There is no store, and none is to be made. No retry.
        StoreError: The bucket cannot be read or written.
    """
    backend = S3Backend(S3Bucket(parse_s3_url(url), connection))
    prepare(backend, create=create)
    return backend


def prepare(backend: S3Backend, *, create: bool) -> None:
    """Require the marker of a store, or make it; see ``open_s3``."""
    bucket = backend.bucket
    with translated(f"Opening the store {bucket.address.url}"):
        marker = read_marker(bucket)
    if marker is None and not create:
        raise ObjectNotFoundError(
            f"There is no store at {bucket.address.url}",
            "Correct the address, or store something there first",
        )
    if marker is None:
        with translated(f"Making the store {bucket.address.url}"):
            _refuse_foreign_prefix(bucket)
            bucket.put(layout.MARKER_KEY, layout.MARKER)
            marker = read_marker(bucket)
    layout.check_marker(marker or b"")


def read_marker(bucket: S3Bucket) -> bytes | None:
    """Read what says that this is a store; None if nothing does."""
    try:
        answer = bucket.call("get_object", layout.MARKER_KEY)
    except ClientError as exc:
        if bucket.is_missing(exc, layout.MARKER_KEY):
            return None
        raise
    with answer["Body"] as body:
        data: bytes = body.read()
        return data


def _refuse_foreign_prefix(bucket: S3Bucket) -> None:
    page = next(bucket.list("", Delimiter="/"))
    folders = [each["Prefix"] for each in page.get("CommonPrefixes", [])]
    names = [*folders, *(each["Key"] for each in page.get("Contents", []))]
    found = {bucket.address.key(name) for name in names}
    if strange := sorted(found - {*layout.PREFIXES, layout.MARKER_KEY}):
        raise ConfigError(
            f"{bucket.address.url} is not a store: it has no {layout.MARKER_KEY},"
            f" but {strange[0]!r}",
            "Choose an empty or a new prefix as the store's address",
        )
