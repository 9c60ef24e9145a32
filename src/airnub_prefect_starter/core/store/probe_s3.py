"""The questions to a server that speaks S3; see ``probe``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

from botocore.exceptions import ClientError

from airnub_prefect_starter.common.errors import ConfigError, StoreDeniedError
from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.probe import (
    MAX_SKEW_S,
    PARALLEL,
    Check,
    Finding,
    Otherwise,
    run_checks,
)
from airnub_prefect_starter.core.store.s3_abilities import (
    STALE_ETAG,
    is_done,
    is_refused,
    look_at_complete,
    probe_key,
    put_with_wrong_digest,
    removed,
)
from airnub_prefect_starter.core.store.s3_bucket import S3Bucket, date_ns, sha256_of
from airnub_prefect_starter.core.store.s3_faults import status_of, translated
from airnub_prefect_starter.core.store.s3_transfer import MAX_PARTS

_SIZES = (1 << 10, 1 << 20)
_DATA = b"probe"
_MAY_BE_DENIED = ("P9", "P10")
_LAST_WINS = "Of two writers of a ref at once the last wins: run each stage one at a time"


class _S3Probe:
    """The questions; ``stack`` takes away what was put for them."""

    def __init__(self, bucket: S3Bucket, stack: ExitStack) -> None:
        self._bucket = bucket
        self._stack = stack

    def same_bytes(self) -> str:
        for size in _SIZES:
            data, key = os.urandom(size), self._key()
            self._bucket.put(key, data)
            with self._bucket.call("get_object", key)["Body"] as body:
                found = body.read()
            if found != data:
                raise Otherwise(f"of {size:,} bytes {len(found):,} came back, or others")
        return "1 KiB and 1 MiB came back unchanged"

    def checks_digests(self) -> str:
        key = self._key()
        if is_done(lambda: put_with_wrong_digest(self._bucket, key)):
            raise Otherwise("a body with another digest than its header's was accepted")
        return "it was refused"

    def keeps_digests(self) -> str:
        key = self._put()
        head = self._bucket.head(key)
        if head is None or sha256_of(head) != Digest.of(_DATA):
            raise Otherwise("HEAD does not tell the SHA-256 that was put")
        return "HEAD tells the SHA-256"

    def refuses_existing(self) -> str:
        key = self._put()
        if not is_refused(lambda: self._bucket.put(key, _DATA, IfNoneMatch="*")):
            raise Otherwise("If-None-Match: * was ignored or not understood")
        return "If-None-Match: * was obeyed"

    def one_creates(self) -> str:
        key = self._key()

        def create(_: int) -> bool:
            try:
                self._bucket.put(key, _DATA, IfNoneMatch="*")
            except ClientError as exc:
                if status_of(exc) in {400, 409, 412, 501}:
                    return False
                raise
            return True

        with ThreadPoolExecutor(PARALLEL) as pool:
            created = sum(pool.map(create, range(PARALLEL)))
        if created != 1:
            raise Otherwise(f"{created} of {PARALLEL} at once created it")
        return f"one of {PARALLEL} at once created it"

    def refuses_stale(self) -> str:
        key = self._put()
        if not is_refused(lambda: self._bucket.put(key, _DATA, IfMatch=STALE_ETAG)):
            raise Otherwise("If-Match was ignored or not understood")
        etag = self._bucket.call("head_object", key)["ETag"]
        if is_refused(lambda: self._bucket.put(key, _DATA, IfMatch=etag)):
            raise Otherwise("If-Match refused the right version")
        return "If-Match was obeyed"

    def refuses_complete(self) -> str:
        if not look_at_complete(self._bucket):
            raise Otherwise("If-None-Match: * was ignored or not understood")
        return "If-None-Match: * was obeyed"

    def lists(self) -> str:
        key = self._put()
        pages = list(self._bucket.list(key))
        if [len(page.get("Contents", [])) for page in pages] != [1]:
            raise Otherwise("what was just put is not listed")
        return "what was just put is listed"

    def clock(self) -> str:
        page = next(self._bucket.list(layout.TMP, MaxKeys=1))
        skew_s = abs(date_ns(page) / 1e9 - time.time())
        if skew_s > MAX_SKEW_S:
            raise Otherwise(f"it differs by {skew_s:.0f} s from this machine's")
        return "it agrees with this machine's"

    def deletes(self) -> str:
        keys = [self._put(), self._put()]
        names = [{"Key": self._bucket.address.name(key)} for key in keys]
        answer = self._bucket.call("delete_objects", Delete={"Objects": names, "Quiet": True})
        if errors := answer.get("Errors"):
            raise Otherwise(f"{errors[0].get('Code')}: {errors[0].get('Message')}")
        if any(self._bucket.head(key) for key in keys):
            raise Otherwise("two objects are still there")
        return "two objects went in one request"

    def tells_uploads(self) -> str:
        next(self._bucket.uploads(), None)
        sizes = self._bucket.sizes
        return (
            f"they are; a put is one request up to {human_bytes(sizes.single_put_max)}, above that"
            f" up to {MAX_PARTS:,} parts of {human_bytes(sizes.part_min)} or more"
        )

    def _put(self) -> Key:
        key = self._key()
        self._bucket.put(key, _DATA)
        return key

    def _key(self) -> Key:
        key = probe_key()
        self._stack.enter_context(removed(self._bucket, key))
        return key


def s3_findings(bucket: S3Bucket) -> Iterator[Finding]:
    """Ask a server, and take away what was put for it."""
    with ExitStack() as stack:
        probe = _S3Probe(bucket, stack)
        yield from run_checks(map(_translated, [*_write_checks(probe), *_upkeep_checks(probe)]))


def _translated(check: Check) -> Check:
    def look() -> str:
        try:
            with translated(f"{check.probe}: asking whether {check.what}"):
                return check.look()
        except (ConfigError, StoreDeniedError) as error:
            if check.probe in _MAY_BE_DENIED:
                raise Otherwise(error.message) from error
            raise

    return replace(check, look=look)


def _write_checks(probe: _S3Probe) -> list[Check]:
    return [
        Check(
            "P1",
            "bytes come back as they were put",
            probe.same_bytes,
            "failed",
            "Keep no store here: this server, or a proxy before it, alters bodies",
        ),
        Check(
            "P2",
            "a wrong digest is refused",
            probe.checks_digests,
            "degraded",
            "Every put is read back, and digests that the server tells are not believed",
        ),
        Check(
            "P3",
            "digests are kept",
            probe.keeps_digests,
            "degraded",
            "What is there already is read before it counts as stored;"
            " `verify --level checksum` proves nothing",
        ),
        Check(
            "P4",
            "a put can leave what is there",
            probe.refuses_existing,
            "degraded",
            f"A put looks first. {_LAST_WINS}",
        ),
        Check(
            "P5",
            "one of many writers creates",
            probe.one_creates,
            "degraded",
            f"Blobs are safe: equal keys are equal bytes. {_LAST_WINS}",
        ),
        Check("P6", "a stale ref is refused", probe.refuses_stale, "degraded", _LAST_WINS),
        Check(
            "P7",
            "a put in parts can leave what is there",
            probe.refuses_complete,
            "degraded",
            "Writers of the same large bytes may each put them",
        ),
    ]


def _upkeep_checks(probe: _S3Probe) -> list[Check]:
    return [
        Check(
            "P8",
            "listings are complete",
            probe.lists,
            "failed",
            "gc is not safe here: use a server that lists what was put",
        ),
        Check("P9", "the clock is right", probe.clock, "degraded", "gc refuses: set the clocks"),
        Check(
            "P9",
            "objects can be deleted",
            probe.deletes,
            "degraded",
            "gc, unpin and quarantine need s3:DeleteObject; what was put for these questions stays",
        ),
        Check(
            "P10",
            "unfinished uploads are listed",
            probe.tells_uploads,
            "degraded",
            "gc leaves them: allow s3:ListBucketMultipartUploads, or let a lifecycle rule end them",
        ),
    ]
