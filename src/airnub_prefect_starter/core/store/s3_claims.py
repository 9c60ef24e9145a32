"""How gc and writers of the same object meet in a storage that cannot delete conditionally.

gc must look at an object and delete it only if no writer has touched it since; between the two
requests a writer may touch it. So gc first puts a claim on the key, then looks, then deletes, then
takes the claim away. A writer first touches, then looks for claims: where it finds none, gc has
either not looked yet, and will see the touch, or is done, and the writer sees what is left.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from airnub_prefect_starter.common.errors import StoreUnavailableError
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.disk import temp_name
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.s3_bucket import S3Bucket, date_ns, seconds_ns

STALE_S = 900
"""A claim is not held longer than the requests under it take, retries included."""

_PATIENCE_S = 30
_PAUSE_S = 0.05


@contextmanager
def claim(bucket: S3Bucket, key: Key) -> Iterator[None]:
    """Tell writers that an object may be about to go."""
    mine = Key(f"{_prefix(key)}{temp_name()}")
    bucket.put(mine, key.encode())
    try:
        yield
    finally:
        bucket.call("delete_object", mine)


def wait_for_claims(bucket: S3Bucket, key: Key) -> None:
    """Return when nobody is about to remove an object.

    Raises:
        StoreUnavailableError: That takes too long. A retry may help.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while _is_claimed(bucket, key):
        if time.monotonic() > deadline:
            raise StoreUnavailableError(
                f"gc has been looking at {key} for {_PATIENCE_S} s", "Try again in some minutes"
            )
        time.sleep(_PAUSE_S)


def _is_claimed(bucket: S3Bucket, key: Key) -> bool:
    for page in bucket.list(_prefix(key)):
        limit_ns = date_ns(page) - STALE_S * 1_000_000_000
        if any(seconds_ns(each["LastModified"]) > limit_ns for each in page.get("Contents", [])):
            return True
    return False


def _prefix(key: Key) -> str:
    return f"{layout.TMP}claim-{Digest.of(key.encode()).hex}-"
