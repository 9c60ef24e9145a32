"""One store's part of a bucket: the calls of the client with full names, and what they answer.

Errors pass as the client raises them; whoever calls translates them (``s3_faults``).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.digest import ALGORITHM, Digest
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.protocol import Stat
from airnub_prefect_starter.core.store.s3_address import S3Address
from airnub_prefect_starter.core.store.s3_client import S3Connection, client_for
from airnub_prefect_starter.core.store.s3_faults import is_about_bucket, status_of

CONTENT_TYPE = "application/octet-stream"

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class S3Sizes:
    """From which sizes on, in bytes, objects are written and copied in other ways.

    Up to ``conditional_max`` a put is conditional: some servers lock the key while the body of
    such a put arrives, so a larger one is preceded by a look instead. Above ``single_put_max`` it
    is made of parts, and then no server keeps the SHA-256 of the whole. ``copy_max`` is S3's own
    limit of a copy in one call.
    """

    conditional_max: int = 1 << 20
    single_put_max: int = 1 << 30
    part_min: int = 64 << 20
    copy_max: int = 5 << 30


@dataclass(frozen=True, slots=True)
class S3Bucket:
    """Where a store is, and how its server is reached."""

    address: S3Address
    connection: S3Connection = field(default_factory=S3Connection)
    sizes: S3Sizes = field(default_factory=S3Sizes)

    def call(self, operation: str, key: Key | None = None, **parameters: Any) -> Answer:
        """Make a call on the bucket, or on the object of a key."""
        if key is not None:
            parameters["Key"] = self.address.name(key)
        method = getattr(client_for(self.connection), operation)
        answer: Answer = method(Bucket=self.address.bucket, **parameters)
        return answer

    def put(self, key: Key, data: bytes, **conditions: Any) -> Answer:
        """Put bytes that are in memory, with their digest for the server to compare."""
        digest = conditions.pop("ChecksumSHA256", base64_of(Digest.of(data)))
        return self.call(
            "put_object",
            key,
            Body=data,
            ContentLength=len(data),
            ContentType=CONTENT_TYPE,
            ChecksumSHA256=digest,
            **conditions,
        )

    def head(self, key: Key) -> Answer | None:
        """Describe an object; None if there is none."""
        try:
            return self.call("head_object", key, ChecksumMode="ENABLED")
        except ClientError as exc:
            if self.is_missing(exc, key):
                return None
            raise

    def is_missing(self, exc: ClientError, key: Key) -> bool:
        """Tell whether an answer means that there is no such object.

        S3 says 403 for what is missing to those who may not list the whole bucket, and they may
        list their own prefix only; so the listing decides.
        """
        if status_of(exc) == 403:
            found = self.call("list_objects_v2", Prefix=self.address.name(key), MaxKeys=1)
            return self.address.name(key) not in {each["Key"] for each in found.get("Contents", [])}
        return status_of(exc) == 404 and not is_about_bucket(exc)

    def list(self, prefix: str, **options: Any) -> Iterator[Answer]:
        """Give the pages of a listing of the objects whose keys start with a prefix."""
        more: Answer = {}
        while True:
            page = self.call("list_objects_v2", Prefix=self.address.name(prefix), **options, **more)
            yield page
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def uploads(self) -> Iterator[Answer]:
        """Give the unfinished uploads; MinIO tells none by prefix, and ends them by itself."""
        more: Answer = {}
        while True:
            page = self.call("list_multipart_uploads", Prefix=self.address.name(""), **more)
            yield from page.get("Uploads", [])
            if not page.get("IsTruncated"):
                return
            more = {
                "KeyMarker": page["NextKeyMarker"],
                "UploadIdMarker": page["NextUploadIdMarker"],
            }


def stat_of(key: Key, answer: Answer) -> Stat:
    """Give what a HEAD or GET says of an object; times are whole seconds, as in every header."""
    return Stat(
        key=key,
        size=size_of(answer),
        modified_ns=seconds_ns(answer["LastModified"]),
        sha256=sha256_of(answer),
        token=answer["ETag"] if key.startswith(layout.MUTABLE) else None,
    )


def size_of(answer: Answer) -> int:
    """Give the size of the whole object, also where a range of it was asked for."""
    whole = str(answer.get("ContentRange", "")).rpartition("/")[2]
    return int(whole) if whole.isdecimal() else int(answer["ContentLength"])


def sha256_of(answer: Answer) -> Digest | None:
    """Give the SHA-256 of an object if the server has it; that of a list of parts is another."""
    text = answer.get("ChecksumSHA256")
    if not text or answer.get("ChecksumType") == "COMPOSITE":
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:  # "<digest>-<number of parts>" of servers that do not say the type
        return None
    return Digest(f"{ALGORITHM}:{raw.hex()}") if len(raw) == 32 else None


def seconds_ns(moment: datetime) -> int:
    """Give a time in nanoseconds since the epoch, of whole seconds.

    Listings have milliseconds on some servers, where headers have seconds only, and the times of
    both are compared.
    """
    return int(moment.timestamp()) * 1_000_000_000


def date_ns(answer: Answer) -> int:
    """Give the time at which the server sent an answer."""
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    return seconds_ns(parsedate_to_datetime(headers["date"]))


def base64_of(digest: Digest) -> str:
    """Give a digest as S3's headers write it."""
    return base64.b64encode(bytes.fromhex(digest.hex)).decode()
