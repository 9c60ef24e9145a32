"""What a server was seen to do with the few things that are not the same on all that speak S3.

Looked at once per process, before the first step that depends on it. Where something is missing
the store goes on by other, documented means and says so in the log once.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.disk import temp_name
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.s3_bucket import S3Bucket, base64_of
from airnub_prefect_starter.core.store.s3_faults import status_of

log = logging.getLogger(__name__)

STALE_ETAG = '"00000000000000000000000000000000"'
_NOT_UNDERSTOOD = {400, 501}
_DATA = b"probe"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a server does.

    ``checks_sha256``: refuse a body with another digest than its header says (else: read back).
    ``put_if_absent``: refuse to replace an object on ``If-None-Match: *`` (else: look first).
    ``swap``: refuse to replace another version on ``If-Match`` (else: the last writer wins).
    """

    checks_sha256: bool
    put_if_absent: bool
    swap: bool


class _Known:
    """What this process has found out, by server, bucket and question."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.lock = Lock()  # another thread may have held the old one when the process forked
        self.found: dict[tuple[str, str, str], Any] = {}

    def ask(self, bucket: S3Bucket, look: Callable[[S3Bucket], T]) -> T:
        name = (bucket.connection.endpoint, bucket.address.bucket, look.__name__)
        with self.lock:
            if name not in self.found:
                self.found[name] = look(bucket)
            found: T = self.found[name]
            return found


_known = _Known()
os.register_at_fork(after_in_child=_known.forget)


def abilities(bucket: S3Bucket) -> Abilities:
    """Return what a bucket's server can do; five small requests the first time.

    With a key that may only read nothing can be found out, and nothing is believed.
    """
    return _known.ask(bucket, look)


def completes_if_absent(bucket: S3Bucket) -> bool:
    """Tell whether a put in parts may be conditional; six small requests the first time.

    Raises:
        ClientError: The bucket cannot be written.
    """
    return _known.ask(bucket, look_at_complete)


def forget_abilities() -> None:
    """Look anew at the next use."""
    _known.forget()


def look(bucket: S3Bucket) -> Abilities:
    """Find out by putting one small object in several ways."""
    key = probe_key()
    try:
        creates = is_done(lambda: bucket.put(key, _DATA, IfNoneMatch="*"))
    except ClientError as exc:
        if status_of(exc) != 403:
            raise
        log.info("What %s can do is not known: %s", bucket.connection.endpoint, exc)
        return Abilities(checks_sha256=False, put_if_absent=False, swap=False)
    with removed(bucket, key):
        if not creates:
            bucket.put(key, _DATA)
        put_if_absent = creates and is_refused(lambda: bucket.put(key, _DATA, IfNoneMatch="*"))
        found = Abilities(
            checks_sha256=not is_done(lambda: put_with_wrong_digest(bucket, key)),
            put_if_absent=put_if_absent,
            swap=put_if_absent and is_refused(lambda: bucket.put(key, _DATA, IfMatch=STALE_ETAG)),
        )
    _tell(bucket, found)
    return found


def look_at_complete(bucket: S3Bucket) -> bool:
    """Find out by putting a small object in one part over another."""
    key = probe_key()
    with removed(bucket, key):
        bucket.put(key, _DATA)
        begun = bucket.call("create_multipart_upload", key)
        upload = {"UploadId": begun["UploadId"]}
        try:
            part = bucket.call("upload_part", key, PartNumber=1, Body=_DATA, **upload)
            parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
            complete = "complete_multipart_upload"
            return is_refused(
                lambda: bucket.call(complete, key, MultipartUpload=parts, IfNoneMatch="*", **upload)
            )
        finally:
            _quietly(lambda: bucket.call("abort_multipart_upload", key, **upload), "upload", key)


def put_with_wrong_digest(bucket: S3Bucket, key: Key) -> None:
    """Put a body under the digest of another one."""
    bucket.put(key, _DATA, ChecksumSHA256=base64_of(Digest.of(b"something else")))


def is_refused(put: Callable[[], object]) -> bool:
    """Tell whether a conditional put is refused because of its condition.

    Raises:
        ClientError: It failed for a reason that says nothing about conditions.
    """
    try:
        put()
    except ClientError as exc:
        if status_of(exc) in {412, *_NOT_UNDERSTOOD}:
            return status_of(exc) == 412
        raise
    return False


def is_done(put: Callable[[], object]) -> bool:
    """Tell whether a put is done, rather than refused because of what is in its headers."""
    try:
        put()
    except ClientError as exc:
        if status_of(exc) in {412, *_NOT_UNDERSTOOD}:
            return False
        raise
    return True


def probe_key() -> Key:
    """Return a new key under ``tmp/``."""
    return Key(f"{layout.TMP}probe-{temp_name()}")


@contextmanager
def removed(bucket: S3Bucket, key: Key) -> Iterator[None]:
    """Remove a probe's object when leaving."""
    try:
        yield
    finally:
        _quietly(lambda: bucket.call("delete_object", key), "probe", key)


def _quietly(remove: Callable[[], object], what: str, key: Key) -> None:
    try:
        remove()
    except (ClientError, BotoCoreError) as exc:
        # Who may not delete can write all the same; gc, with a key that may, takes what is left.
        log.info("The %s %s stays until gc: %s", what, key, exc)


def _tell(bucket: S3Bucket, found: Abilities) -> None:
    lacks = {
        "check digests (every put is read back)": found.checks_sha256,
        "put if absent (a put looks first)": found.put_if_absent,
        "compare and swap (of two writers of a ref at once the last wins)": found.swap,
    }
    if missing := [name for name, there in lacks.items() if not there]:
        log.warning("%s does not %s", bucket.connection.endpoint, ", nor ".join(missing))
