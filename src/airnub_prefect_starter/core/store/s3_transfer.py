"""Objects too large for one call: puts and copies in parts, which leave nothing when they fail."""

from __future__ import annotations

import hashlib
import io
import logging
import math
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from airnub_prefect_starter.common.errors import StoreIntegrityError
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.protocol import Body, PutStatus
from airnub_prefect_starter.core.store.s3_bucket import CONTENT_TYPE, Answer, S3Bucket, size_of
from airnub_prefect_starter.core.store.s3_faults import status_of, was_retried

log = logging.getLogger(__name__)

PARTS_AT_ONCE = 4
MAX_PARTS = 9_000
"""S3 takes 10,000."""

_READ_BYTES = 1 << 20

SendPart = Callable[[str, int, int, int], Answer]
"""Sends a part: upload id, number (from 1), offset and size in bytes."""


class Slice(io.RawIOBase):
    """A body, or a part of one, as a file for the client; closing it closes the reader.

    The client asks for 16 KiB at a time and takes what it gets, so it gets more: this saves a
    fifth of the CPU time of a large put.
    """

    def __init__(self, reader: BinaryIO, offset: int, size: int) -> None:
        super().__init__()
        self._reader = reader
        self._offset = offset
        self._size = size
        self._at = 0
        reader.seek(offset)

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that this can be read again."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read a piece of 1 MiB, or more if more is asked for, or all that is left."""
        left = self._size - self._at
        data = self._reader.read(left if size < 0 else min(max(size, _READ_BYTES), left))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a byte."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, min(start + offset, self._size))
        self._reader.seek(self._offset + self._at)
        return self._at

    def tell(self) -> int:
        """Return the present byte."""
        return self._at

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()
        super().close()


def upload(bucket: S3Bucket, key: Key, body: Body, size: int, *, if_absent: bool) -> PutStatus:
    """Put a body in parts, of which the server checks each by its SHA-256.

    Args:
        bucket: Where to.
        key: The object's key.
        body: Its bytes, opened once for each part.
        size: How many there are.
        if_absent: Leave what is there; the condition is on the last call alone.

    Raises:
        StoreIntegrityError: The object has another size in the end. A retry may help.
    """

    def send(upload_id: str, number: int, offset: int, length: int) -> Answer:
        with Slice(body.reader(), offset, length) as part:
            checksum = _sha256(part)
            part.seek(0)
            answer = bucket.call(
                "upload_part",
                key,
                UploadId=upload_id,
                PartNumber=number,
                Body=part,
                ContentLength=length,
                ChecksumSHA256=checksum,
            )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    condition = {"IfNoneMatch": "*"} if if_absent else {}
    status = _in_parts(bucket, key, size, send, {"ChecksumAlgorithm": "SHA256"}, condition)
    if status is PutStatus.CREATED:
        _require_size(bucket, key, size)
    return status


def copy(bucket: S3Bucket, source: Key, target: Key, size: int) -> Answer | None:
    """Copy an object of a known size inside the bucket, also onto itself; this makes it young.

    Returns:
        What the server says of the copy; None if it was made in parts.
    """
    origin = {"Bucket": bucket.address.bucket, "Key": bucket.address.name(source)}
    if size <= bucket.sizes.copy_max:
        answer = bucket.call(
            "copy_object",
            target,
            CopySource=origin,
            MetadataDirective="REPLACE",
            ContentType=CONTENT_TYPE,
        )
        result: Answer = answer["CopyObjectResult"]
        return result

    def send(upload_id: str, number: int, offset: int, length: int) -> Answer:
        answer = bucket.call(
            "upload_part_copy",
            target,
            UploadId=upload_id,
            PartNumber=number,
            CopySource=origin,
            CopySourceRange=f"bytes={offset}-{offset + length - 1}",
        )
        return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

    _in_parts(bucket, target, size, send, {}, {})
    _require_size(bucket, target, size)
    return None


def _in_parts(
    bucket: S3Bucket,
    key: Key,
    size: int,
    send: SendPart,
    options: dict[str, Any],
    condition: dict[str, Any],
) -> PutStatus:
    begun = bucket.call("create_multipart_upload", key, ContentType=CONTENT_TYPE, **options)
    upload_id: str = begun["UploadId"]
    status = None
    try:
        parts = _send_parts(upload_id, size, bucket.sizes.part_min, send)
        status = _complete(bucket, key, upload_id, parts, condition)
    finally:
        if status is not PutStatus.CREATED:
            _abort(bucket, key, upload_id)
    return status


def _abort(bucket: S3Bucket, key: Key, upload_id: str) -> None:
    try:
        bucket.call("abort_multipart_upload", key, UploadId=upload_id)
    except (ClientError, BotoCoreError) as exc:  # the error that led here says more: it goes on
        log.warning("An unfinished upload of %s stays until gc: %s", key, exc)


def _send_parts(upload_id: str, size: int, part_min: int, send: SendPart) -> list[Answer]:
    length = max(part_min, math.ceil(size / MAX_PARTS))
    offsets = range(0, size, length)

    def send_one(number: int, offset: int) -> Answer:
        return send(upload_id, number, offset, min(length, size - offset))

    with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
        return list(pool.map(send_one, range(1, len(offsets) + 1), offsets))


def _complete(
    bucket: S3Bucket, key: Key, upload_id: str, parts: list[Answer], condition: dict[str, Any]
) -> PutStatus:
    try:
        bucket.call(
            "complete_multipart_upload",
            key,
            UploadId=upload_id,
            MultipartUpload={"Parts": parts},
            **condition,
        )
    except ClientError as exc:
        if condition and status_of(exc) == 412:
            return PutStatus.EXISTS
        if not (was_retried(exc) and status_of(exc) == 404):
            raise
        # The first answer was lost; the upload is gone because it was completed.
    return PutStatus.CREATED


def _require_size(bucket: S3Bucket, key: Key, size: int) -> None:
    head = bucket.head(key)
    if head is None or size_of(head) != size:
        found = "nothing" if head is None else f"{size_of(head)} bytes"
        raise StoreIntegrityError(
            f"{key} of {size} bytes was put in parts, and {found} is there", "Put it again"
        )


def _sha256(part: Slice) -> str:
    hasher = hashlib.sha256()
    while chunk := part.read(_READ_BYTES):
        hasher.update(chunk)
    return b64encode(hasher.digest()).decode()
