"""Writing to a bucket: conditional where that is proven and cheap, after a look elsewhere."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from botocore.exceptions import ClientError

from airnub_prefect_starter.common.errors import RefConflictError
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.protocol import Body, PutStatus
from airnub_prefect_starter.core.store.s3_abilities import abilities, completes_if_absent
from airnub_prefect_starter.core.store.s3_bucket import CONTENT_TYPE, Answer, S3Bucket, base64_of
from airnub_prefect_starter.core.store.s3_faults import is_about_bucket, status_of, was_retried
from airnub_prefect_starter.core.store.s3_transfer import Slice, upload

_CONFLICT_PAUSES_S = (0.05, 0.1, 0.2, 0.4)


def put(bucket: S3Bucket, key: Key, body: Body, sha256: Digest, *, if_absent: bool) -> PutStatus:
    """Put a body in one request, or in parts if it is large; see ``BlobBackend.put``."""
    in_parts = body.size > bucket.sizes.single_put_max
    conditional = if_absent and _may_be_conditional(bucket, body.size, in_parts=in_parts)
    if if_absent and not conditional and bucket.head(key) is not None:
        return PutStatus.EXISTS
    if in_parts:
        return upload(bucket, key, body, body.size, if_absent=conditional)
    return _put_once(bucket, key, body, sha256, {"IfNoneMatch": "*"} if conditional else {})


def swap(bucket: S3Bucket, key: Key, data: bytes, expect: str | None) -> str:
    """Replace a version of an object (None: make it) and return the name of the new one.

    Raises:
        RefConflictError: Another version is there. A retry after reading again may help.
    """
    condition = {"IfNoneMatch": "*"} if expect is None else {"IfMatch": expect}
    try:
        answer = _again_on_conflict(lambda: bucket.put(key, data, **condition))
    except ClientError as exc:
        if status_of(exc) not in {404, 409, 412} or is_about_bucket(exc):
            raise
        # A repeated request meets the effect of the one whose answer was lost.
        if was_retried(exc) and (etag := _etag_if_holds(bucket, key, data)):
            return etag
        raise _moved(key) from None
    return str(answer["ETag"])


def replace_if_same(bucket: S3Bucket, key: Key, data: bytes, expect: str | None) -> str:
    """Do what ``swap`` does on a server that cannot: of two writers at once, the last one wins.

    Raises:
        RefConflictError: Another version is there. A retry after reading again may help.
    """
    head = bucket.head(key)
    if (head["ETag"] if head else None) != expect:
        raise _moved(key)
    return str(bucket.put(key, data)["ETag"])


def _may_be_conditional(bucket: S3Bucket, size: int, *, in_parts: bool) -> bool:
    if in_parts:
        return completes_if_absent(bucket)
    return size <= bucket.sizes.conditional_max and abilities(bucket).put_if_absent


def _put_once(
    bucket: S3Bucket, key: Key, body: Body, sha256: Digest, condition: dict[str, str]
) -> PutStatus:
    def send() -> Answer:
        with Slice(body.reader(), 0, body.size) as content:
            return bucket.call(
                "put_object",
                key,
                Body=content,
                ContentLength=body.size,
                ContentType=CONTENT_TYPE,
                ChecksumSHA256=base64_of(sha256),
                **condition,
            )

    try:
        _again_on_conflict(send)
    except ClientError as exc:
        if condition and status_of(exc) == 412:
            return PutStatus.EXISTS
        raise
    return PutStatus.CREATED


def _again_on_conflict(call: Callable[[], Answer]) -> Answer:
    """Make a conditional call again while others write the same object (409), a few times."""
    for pause_s in _CONFLICT_PAUSES_S:
        try:
            return call()
        except ClientError as exc:
            if status_of(exc) != 409:
                raise
        time.sleep(random.uniform(0, pause_s))  # noqa: S311 - so that writers do not meet again
    return call()


def _etag_if_holds(bucket: S3Bucket, key: Key, data: bytes) -> str | None:
    answer = bucket.call("get_object", key)
    with answer["Body"] as body:
        return str(answer["ETag"]) if body.read() == data else None


def _moved(key: Key) -> RefConflictError:
    return RefConflictError(f"Another writer moved {key} first", "Read it again and retry")
