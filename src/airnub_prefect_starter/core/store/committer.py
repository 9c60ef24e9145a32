"""Commits: blob, then manifest, then ref, each durable before the next; nothing if unchanged."""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial

from airnub_prefect_starter.common.clock import Clock
from airnub_prefect_starter.common.errors import (
    CorruptObjectError,
    DigestMismatchError,
    ObjectNotFoundError,
)
from airnub_prefect_starter.core.manifest_models import (
    OCTET_STREAM,
    DerivedManifest,
    Descriptor,
    FetchManifest,
    Manifest,
    Outcome,
    Ref,
)
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.commits import (
    PRODUCER,
    Committed,
    DerivedCommit,
    FetchCommit,
    Validators,
    made_alike,
)
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.objects import Objects
from airnub_prefect_starter.core.store.protocol import StoreBackend
from airnub_prefect_starter.core.store.records import Records
from airnub_prefect_starter.core.store.spool import Spool

log = logging.getLogger(__name__)


class Committer:
    """Writes what was fetched or computed into one store.

    Args:
        backend: Where everything is.
        objects: Blobs and manifests.
        records: Manifests and refs.
        clock: The time that manifests and refs carry.
    """

    def __init__(
        self, backend: StoreBackend, objects: Objects, records: Records, clock: Clock
    ) -> None:
        self._backend = backend
        self._objects = objects
        self._records = records
        self._clock = clock

    def put_blob(
        self, spool: Spool, media_type: str = OCTET_STREAM, *expected: str | None
    ) -> tuple[Descriptor, Outcome]:
        """Publish a spool's bytes if they have the digests that were expected of them.

        Raises:
            DigestMismatchError: They have not; nothing was written. Fetching again may help once.
        """
        digest = Digest(spool.digest)
        for wanted in expected:
            if wanted is not None and Digest(wanted) != digest:
                raise DigestMismatchError(
                    f"The {spool.size} bytes have the digest {digest}, expected was {wanted}",
                    "Fetch again; if it stays, the source changed: check it, then the expectation",
                )
        spool.seal()
        outcome = self._objects.put(layout.blob_key(digest), digest, spool)
        return Descriptor(media_type=media_type, digest=digest.text, size=spool.size), outcome

    def validators(self, namespace: str, source_id: str) -> Validators | None:
        """Return what to send with the next GET; None unless all that a 304 relies on is there."""
        try:
            ref = self._records.ref(namespace, source_id)
        except CorruptObjectError as exc:
            log.warning("%s; the source is fetched in full", exc)
            return None
        if ref is None or ref.blob is None or not (ref.etag or ref.last_modified):
            return None
        manifest = layout.manifest_key(Digest(ref.manifest.digest))
        if not self._has(manifest, ref.manifest.size) or not self._has_blob(ref.blob):
            return None
        return Validators(
            etag=ref.etag, last_modified=ref.last_modified, url=ref.url, digest=ref.blob.digest
        )

    def fetched(self, commit: FetchCommit) -> Committed:
        """Store a fetched body; see ``Store.commit_fetch``."""
        layout.ref_key(commit.namespace, commit.source_id)  # refuses a bad name before any write
        blob, outcome = self.put_blob(
            commit.spool, commit.media_type, commit.expected, commit.source.claimed_digest
        )
        ref, written = self._records.move_ref(
            commit.namespace,
            commit.source_id,
            partial(self._fetched_ref, commit, blob, self._clock()),
        )
        if written and not self._has_blob(blob):
            # gc of a store without atomic upkeep took it between the put and the ref
            self.put_blob(commit.spool, commit.media_type)
        unchanged = not written and outcome == "deduplicated"
        return Committed("not_modified" if unchanged else outcome, ref)

    def derived(self, commit: DerivedCommit) -> Committed:
        """Record a computation; see ``Store.commit_derived``."""
        layout.ref_key(commit.namespace, commit.source_id)
        self._require_outputs(commit)
        ref, written = self._records.move_ref(
            commit.namespace, commit.source_id, partial(self._derived_ref, commit, self._clock())
        )
        if written:
            self._require_outputs(commit)
        return Committed("stored" if written else "not_modified", ref)

    def unchanged(self, namespace: str, source_id: str) -> Committed:
        """Answer a 304 with the present ref.

        Raises:
            ObjectNotFoundError: There is no ref that a 304 could mean. No retry.
        """
        ref = self._records.ref(namespace, source_id)
        if ref is None:
            raise ObjectNotFoundError(
                f"{namespace}/{source_id} was never stored, so it cannot be unchanged",
                "Fetch it without validators",
            )
        return Committed("not_modified", ref)

    def _fetched_ref(
        self, commit: FetchCommit, blob: Descriptor, now: datetime, present: Ref | None
    ) -> Ref:
        source = commit.source
        kept = present if present and self._is_of(present, blob, commit) else None
        validators = (source.etag, source.last_modified, source.url)
        if kept and (kept.etag, kept.last_modified, kept.url) == validators:
            return kept
        return Ref(
            manifest=kept.manifest if kept else self._write_fetched(commit, blob, now, present),
            blob=kept.blob if kept else blob,
            etag=source.etag,
            last_modified=source.last_modified,
            url=source.url,
            updated_at=now,
        )

    def _write_fetched(
        self, commit: FetchCommit, blob: Descriptor, now: datetime, present: Ref | None
    ) -> Descriptor:
        manifest = FetchManifest(
            namespace=commit.namespace,
            source_id=commit.source_id,
            blob=blob,
            source=commit.source,
            fetched_at=now,
            previous=present.manifest.digest if present else None,
            producer=PRODUCER,
            run=commit.run,
            annotations=commit.annotations,
            table=commit.table,
        )
        return self._records.write_manifest(manifest)[0]

    def _derived_ref(self, commit: DerivedCommit, now: datetime, present: Ref | None) -> Ref:
        found = self._manifest_of(present)
        if present and isinstance(found, DerivedManifest) and _same(found, commit):
            return present
        manifest = DerivedManifest(
            namespace=commit.namespace,
            source_id=commit.source_id,
            inputs=commit.inputs,
            outputs=commit.outputs,
            parameters=commit.parameters,
            rows=commit.rows,
            created_at=now,
            previous=present.manifest.digest if present else None,
            producer=PRODUCER,
            run=commit.run,
            annotations=commit.annotations,
        )
        return Ref(manifest=self._records.write_manifest(manifest)[0], updated_at=now)

    def _is_of(self, ref: Ref, blob: Descriptor, commit: FetchCommit) -> bool:
        """Tell whether a ref leads, through a sound manifest, to these bytes under these rules."""
        if ref.blob is None or ref.blob.digest != blob.digest:
            return False
        found = self._manifest_of(ref)
        return (
            isinstance(found, FetchManifest)
            and found.blob.digest == blob.digest
            and found.annotations == commit.annotations
            and found.table == commit.table
        )

    def _manifest_of(self, ref: Ref | None) -> Manifest | None:
        """Read a ref's manifest; None if it must be written anew."""
        if ref is None:
            return None
        try:
            return self._records.manifest(Digest(ref.manifest.digest))
        except (CorruptObjectError, ObjectNotFoundError) as exc:
            log.warning("%s; a new manifest is written", exc)
            return None

    def _require_outputs(self, commit: DerivedCommit) -> None:
        for output in commit.outputs:
            if not self._has_blob(output.blob):
                raise ObjectNotFoundError(
                    f"Output {output.name!r} ({output.blob.digest}) is not in the store",
                    "Put the bytes of every output before the commit",
                )

    def _has_blob(self, blob: Descriptor) -> bool:
        return self._has(layout.blob_key(Digest(blob.digest)), blob.size)

    def _has(self, key: Key, size: int) -> bool:
        found = self._backend.stat(key)
        return found is not None and found.size == size


def _same(found: DerivedManifest, commit: DerivedCommit) -> bool:
    return (
        made_alike(found, commit.inputs, commit.parameters)
        and found.outputs == commit.outputs
        and found.rows == commit.rows
    )
