"""The store in a bucket: MinIO, AWS S3 and what else speaks S3.

One put is one request and atomic; a body above ``single_put_max`` is put in parts that become an
object with the last request. Blobs need no condition to be safe, since equal keys mean equal
bytes; refs need one, and where the server has none the last writer wins (``s3_abilities``).
A killed process leaves at most unfinished uploads, objects under ``tmp/`` and objects that nothing
refers to. Times have whole seconds.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from botocore.exceptions import ClientError

from airnub_prefect_starter.common.errors import (
    ObjectNotFoundError,
    StoreIntegrityError,
    StoreUnavailableError,
)
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.protocol import Body, PutStatus, Reader, Stat
from airnub_prefect_starter.core.store.reading import hash_of
from airnub_prefect_starter.core.store.s3_abilities import abilities
from airnub_prefect_starter.core.store.s3_bucket import (
    Answer,
    S3Bucket,
    date_ns,
    seconds_ns,
    size_of,
    stat_of,
)
from airnub_prefect_starter.core.store.s3_claims import claim, wait_for_claims
from airnub_prefect_starter.core.store.s3_faults import status_of, translated
from airnub_prefect_starter.core.store.s3_reading import S3Reader, reader_at_end
from airnub_prefect_starter.core.store.s3_transfer import copy
from airnub_prefect_starter.core.store.s3_writing import put, replace_if_same, swap
from airnub_prefect_starter.core.store.spool import Spool

log = logging.getLogger(__name__)

_DELETE_AT_ONCE = 1000
_TOUCHES = 10
_PAUSE_S = 0.2


class S3Backend:
    """A ``StoreBackend`` in a bucket.

    Nothing is asked of the server before the first call, so that an object of this class may be
    made before a fork and used after it.

    Args:
        bucket: Where the store is.
    """

    def __init__(self, bucket: S3Bucket) -> None:
        self.bucket = bucket

    # The six primitives

    def stat(self, key: Key) -> Stat | None:
        """See ``BlobBackend.stat``; the digest is given only if the server is known to check it."""
        with translated(f"Looking up {key}"):
            head = self.bucket.head(key)
            return None if head is None else self._believed(stat_of(key, head))

    def put(self, key: Key, body: Body, *, sha256: Digest, size: int, if_absent: bool) -> PutStatus:
        """See ``BlobBackend.put``; conditional only while that is cheap and the server can."""
        if body.size != size:
            raise StoreIntegrityError(
                f"A body of {size} bytes has {body.size}", "Read the source again"
            )
        with translated(f"Writing {key}"):
            status = put(self.bucket, key, body, sha256, if_absent=if_absent)
            if status is PutStatus.CREATED and not abilities(self.bucket).checks_sha256:
                self._read_back(key, sha256)
        return status

    @contextmanager
    def open(self, key: Key, offset: int = 0) -> Iterator[Reader]:
        """See ``BlobBackend.open``."""
        with translated(f"Opening {key}"):
            reader = self._open(key, offset)
        try:
            yield reader
        finally:
            reader.close()

    def list(self, prefix: str) -> Iterator[Stat]:
        """See ``BlobBackend.list``."""
        with translated(f"Listing {prefix}"):
            for page in self.bucket.list(prefix):
                for each in page.get("Contents", []):
                    key = self.bucket.address.key(each["Key"])
                    yield Stat(key, each["Size"], seconds_ns(each["LastModified"]))

    def delete(self, keys: Iterable[Key]) -> None:
        """See ``BlobBackend.delete``; so many in one request as S3 takes."""
        left = list(dict.fromkeys(keys))
        for start in range(0, len(left), _DELETE_AT_ONCE):
            some = left[start : start + _DELETE_AT_ONCE]
            others = f" and {len(some) - 1} more" if len(some) > 1 else ""
            with translated(f"Deleting {some[0]}{others}"):
                self._delete(some)

    def cas(self, key: Key, data: bytes, expect: str | None) -> str:
        """See ``BlobBackend.cas``; where the server cannot swap, the last writer wins."""
        with translated(f"Writing {key}"):
            if abilities(self.bucket).swap:
                return swap(self.bucket, key, data, expect)
            return replace_if_same(self.bucket, key, data, expect)

    # Upkeep

    def spool(self) -> Spool:
        """See ``StoreBackend.spool``."""
        return Spool()

    def local_path(self, key: Key) -> Path | None:  # noqa: ARG002 - there is none for any key
        """See ``StoreBackend.local_path``."""
        return None

    def touch(self, key: Key) -> bool:
        """See ``StoreBackend.touch``; the time is always a later second, by which gc tells."""
        with translated(f"Touching {key}"):
            if not self._copy_onto_itself(key):
                return False
            wait_for_claims(self.bucket, key)
            return self.bucket.head(key) is not None

    def settle(self, key: Key) -> None:
        """See ``StoreBackend.settle``: what a bucket lists is durable."""

    def move(self, key: Key, target: Key) -> bool:
        """See ``StoreBackend.move``: a copy, then a delete unless other bytes are there now."""
        with translated(f"Moving {key} to {target}"):
            head = self.bucket.head(key)
            if head is None or not self._copy(key, target, size_of(head)):
                return False
            found = self.bucket.head(key)
            if found is not None and found["ETag"] == head["ETag"]:
                self.bucket.call("delete_object", key)
        return True

    def discard(self, stat: Stat, *, keep_in_trash: bool) -> bool:
        """See ``StoreBackend.discard``; writers wait while this looks and deletes."""
        key, trash = stat.key, layout.trash_key(stat.key)
        with translated(f"Collecting {key}"):
            # First, since a large object's copy takes longer than a claim is respected.
            if keep_in_trash and not self._copy(key, trash, stat.size):
                return False
            with claim(self.bucket, key):
                found = self.stat(key)
                if found is not None and found.modified_ns == stat.modified_ns:
                    self.bucket.call("delete_object", key)
                    return True
            if keep_in_trash:
                self.bucket.call("delete_object", trash)
        return False

    def reap(self, before_ns: int, *, apply: bool) -> int:
        """See ``StoreBackend.reap``: objects under ``tmp/`` and unfinished uploads."""
        old = [each.key for each in self.list(layout.TMP) if each.modified_ns < before_ns]
        if apply:
            self.delete(old)
        with translated("Looking for unfinished uploads"):
            return len(old) + self._reap_uploads(before_ns, apply=apply)

    def sync(self) -> None:
        """See ``StoreBackend.sync``: every put was durable when it returned."""

    def now_ns(self) -> int:
        """See ``StoreBackend.now_ns``."""
        with translated("Asking for the server's time"):
            for page in self.bucket.list(layout.MARKER_KEY, MaxKeys=1):
                return date_ns(page)
        raise AssertionError("a listing has at least one page")

    # The rest

    def _read_back(self, key: Key, sha256: Digest) -> None:
        with self.open(key) as reader:
            found = hash_of(reader)
        if found != sha256.text:
            self.bucket.call("delete_object", key)
            raise StoreIntegrityError(
                f"{key} came back with the digest {found}",
                "Try again; if it stays, look at the server's disks and proxies",
            )

    def _open(self, key: Key, offset: int) -> S3Reader:
        wanted = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            answer = self.bucket.call("get_object", key, **wanted)
        except ClientError as exc:
            if status_of(exc) == 416 and (head := self.bucket.head(key)):
                return reader_at_end(stat_of(key, head))
            if self.bucket.is_missing(exc, key):
                raise ObjectNotFoundError(
                    f"{key} is not in the store", "Check the name with `airnub store ls`"
                ) from None
            raise
        return S3Reader(answer["Body"], stat_of(key, answer))

    def _believed(self, stat: Stat) -> Stat:
        """Drop a digest that the server may only repeat."""
        if stat.sha256 is None or abilities(self.bucket).checks_sha256:
            return stat
        return replace(stat, sha256=None)

    def _copy(self, key: Key, target: Key, size: int) -> bool:
        try:
            copy(self.bucket, key, target, size)
        except ClientError as exc:
            if self.bucket.is_missing(exc, key):
                return False
            raise
        return True

    def _copy_onto_itself(self, key: Key) -> bool:
        for _ in range(_TOUCHES):
            head = self.bucket.head(key)
            if head is None:
                return False
            self._let_a_second_pass(head)
            if self._copy(key, key, size_of(head)):
                return True
            # MinIO calls an object missing that others copy onto itself at this moment.
            time.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311 - no secret
        raise StoreUnavailableError(f"Others are touching {key} all the time", "Try again")

    def _let_a_second_pass(self, head: Answer) -> None:
        """Wait if a copy made now would have the time that the object has already."""
        if seconds_ns(head["LastModified"]) >= date_ns(head):
            time.sleep(1)

    def _reap_uploads(self, before_ns: int, *, apply: bool) -> int:
        try:
            found = list(self.bucket.uploads())
        except ClientError as exc:
            if status_of(exc) not in {403, 501}:
                raise
            log.warning("Unfinished uploads cannot be listed and are left: %s", exc)
            return 0
        old = [each for each in found if seconds_ns(each["Initiated"]) < before_ns]
        for each in old if apply else ():
            key = self.bucket.address.key(each["Key"])
            self.bucket.call("abort_multipart_upload", key, UploadId=each["UploadId"])
        return len(old)

    def _delete(self, keys: Sequence[Key]) -> None:
        names = [{"Key": self.bucket.address.name(key)} for key in keys]
        answer = self.bucket.call("delete_objects", Delete={"Objects": names, "Quiet": True})
        for error in answer.get("Errors", []):
            raise ClientError({"Error": error}, "DeleteObjects")
