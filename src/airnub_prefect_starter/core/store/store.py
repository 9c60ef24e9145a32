"""The content store: bytes by digest, manifests that say where they came from, refs to the latest.

Everything is written in the order blob, manifest, ref, each durable before the next, so a ref
always leads to a manifest and its blobs, wherever a writer is killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from airnub_prefect_starter.common.clock import Clock, utc_now
from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError
from airnub_prefect_starter.core.manifest_models import (
    OCTET_STREAM,
    Descriptor,
    Manifest,
    Outcome,
    Ref,
    RunReport,
)
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.bodies import BytesBody
from airnub_prefect_starter.core.store.commits import (
    Committed,
    DerivedCommit,
    FetchCommit,
    Validators,
)
from airnub_prefect_starter.core.store.committer import Committer
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.export import Link, export
from airnub_prefect_starter.core.store.faults import translated
from airnub_prefect_starter.core.store.local import Durability, LocalBackend
from airnub_prefect_starter.core.store.objects import Objects
from airnub_prefect_starter.core.store.protocol import StoreBackend
from airnub_prefect_starter.core.store.records import Records
from airnub_prefect_starter.core.store.s3_address import SCHEME as S3_SCHEME
from airnub_prefect_starter.core.store.spool import Spool

MAX_READ_BYTES = 256 << 20


class Store:
    """One content store, safe for use by many threads and processes at once.

    Args:
        backend: Where the objects are.
        clock: The time that manifests and refs carry.
    """

    def __init__(self, backend: StoreBackend, clock: Clock = utc_now) -> None:
        self.backend = backend
        self.clock = clock
        self.objects = Objects(backend, clock)
        self.records = Records(backend, self.objects)
        self._committer = Committer(backend, self.objects, self.records, clock)

    # Writing

    def spool(self) -> Spool:
        """Return an empty spool where this store can publish it without copying."""
        return self.backend.spool()

    def put_blob(
        self, spool: Spool, *, media_type: str = OCTET_STREAM, expected: str | None = None
    ) -> tuple[Descriptor, Outcome]:
        """Publish a spool's bytes and seal it.

        Raises:
            DigestMismatchError: They are not the expected ones; nothing was written.
            StoreError: They could not be written.
        """
        return self._committer.put_blob(spool, media_type, expected)

    def put_bytes(
        self, data: bytes, *, media_type: str = OCTET_STREAM
    ) -> tuple[Descriptor, Outcome]:
        """Publish bytes that are in memory.

        Raises:
            StoreError: They could not be written.
        """
        digest = Digest.of(data)
        outcome = self.objects.put(layout.blob_key(digest), digest, BytesBody(data))
        return Descriptor(media_type=media_type, digest=digest.text, size=len(data)), outcome

    def validators(self, namespace: str, source_id: str) -> Validators | None:
        """Return what to send with the next GET of a source.

        None unless ref, manifest and blob are there with the right sizes, so that a 304 can be
        believed: what was lost is fetched again. The caller checks that ``url`` still is the
        address that it asks.
        """
        return self._committer.validators(namespace, source_id)

    def commit_fetch(self, commit: FetchCommit) -> Committed:
        """Store a fetched body with its manifest and point the source's ref at it.

        Bytes and validators equal to the present ref's: nothing is written, ``not_modified``. Equal
        bytes with other validators: a new ref to the same manifest.

        Raises:
            DigestMismatchError: The bytes are not those expected or claimed; nothing was written.
            RefConflictError: Other writers of this source were first. A retry may help.
            StoreError: The store could not be read or written.
        """
        return self._committer.fetched(commit)

    def commit_derived(self, commit: DerivedCommit) -> Committed:
        """Record what was computed from what, and point the ref at it.

        Inputs, outputs, parameters, rows and code version equal to those of the present ref's
        manifest: nothing is written, ``not_modified``; else ``stored``.

        Raises:
            ObjectNotFoundError: An output's bytes are not in the store. No retry.
            RefConflictError: Other writers of this ref were first. A retry may help.
            TypeError: A parameter is a float or not JSON.
            StoreError: The store could not be read or written.
        """
        return self._committer.derived(commit)

    def unchanged(self, namespace: str, source_id: str) -> Committed:
        """Answer a 304: ``not_modified`` and the present ref; nothing is written.

        Raises:
            ObjectNotFoundError: There is no ref. No retry.
        """
        return self._committer.unchanged(namespace, source_id)

    def write_report(self, report: RunReport) -> None:
        """Write the report of a run; writing it again replaces it."""
        self.records.write_report(report)

    def write_result(self, path: str, data: bytes) -> None:
        """Write a task result under ``results/``; it expires by age and may be replaced."""
        key = layout.result_key(path)
        body, digest = BytesBody(data), Digest.of(data)
        self.backend.put(key, body, sha256=digest, size=len(data), if_absent=False)

    def pin(self, name: str, digest: str) -> None:
        """Keep a blob, or a manifest and all that it refers to, from gc.

        Raises:
            ObjectNotFoundError: There is no such object. No retry.
        """
        self.records.pin(name, Digest(digest))

    def unpin(self, name: str) -> None:
        """Remove a pin.

        Raises:
            ObjectNotFoundError: There is none of that name. No retry.
        """
        self.records.unpin(name)

    def sync(self) -> None:
        """With durability ``batch``, make durable all that was put; commits call it themselves."""
        self.backend.sync()

    # Reading

    def open_blob(
        self, digest: str, *, size: int | None = None
    ) -> AbstractContextManager[BinaryIO]:
        """Open a blob as a stream that is verified on the way; a given size is checked first.

        Raises:
            ObjectNotFoundError: There is none. No retry.
            CorruptObjectError: Its bytes are wrong, no later than with the last of them; it is in
                quarantine then. No retry: fetch the source again.
        """
        parsed = Digest(digest)
        return self.objects.open(layout.blob_key(parsed), parsed, size)

    def read_blob(self, digest: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes:
        """Read a blob, verified before it is returned.

        Raises:
            TooLargeError: It has more than ``max_bytes``. No retry.
            StoreError: As for ``open_blob``.
        """
        parsed = Digest(digest)
        return self.objects.read(layout.blob_key(parsed), parsed, max_bytes=max_bytes)

    def read_result(self, path: str) -> bytes:
        """Read a task result.

        Raises:
            ObjectNotFoundError: There is none, or it has expired. No retry.
        """
        with self.backend.open(layout.result_key(path)) as reader:
            return reader.read()

    def export(self, digest: str, target: Path, *, link: Link = "reflink") -> None:
        """Write a verified copy of a blob to a path, replacing what has that name.

        ``reflink`` shares blocks where the file system can and copies elsewhere; ``hard`` is for
        readers only (writing to the link would corrupt the store) and copies empty blobs and where
        links are not possible.

        Raises:
            ConfigError: The target is a folder. No retry.
            StoreError: As for ``open_blob``, or the target cannot be written.
        """
        export(self.backend, self.objects, Digest(digest), target, link=link)

    def ref(self, namespace: str, source_id: str) -> Ref | None:
        """Read a ref; None if there is none.

        Raises:
            CorruptObjectError: It is not a ref; the next commit heals it. No retry.
        """
        return self.records.ref(namespace, source_id)

    def refs(self) -> Iterator[tuple[str, str, Ref]]:
        """Read all refs as (namespace, source id, ref), ordered by name."""
        return self.records.refs()

    def manifest(self, digest: str) -> Manifest:
        """Read a manifest, verified.

        Raises:
            ObjectNotFoundError: There is none. No retry.
            CorruptObjectError: Its bytes or its content are wrong. No retry.
            ConfigError: A later version of this program wrote it. No retry.
        """
        return self.records.manifest(Digest(digest))

    def manifests(self) -> Iterator[tuple[Descriptor, Manifest]]:
        """Read all manifests, ordered by digest."""
        return self.records.manifests()

    def reports(self, since: datetime | None = None) -> Iterator[RunReport]:
        """Read all run reports, or those of runs that started since, ordered by that time."""
        return self.records.reports(since)

    def pins(self) -> Iterator[tuple[str, str]]:
        """Read all pins as (name, digest), ordered by name."""
        return ((name, digest.text) for name, digest in self.records.pins())


def department_url(root_url: str, department_id: str) -> str:
    """Return the address of a department's store under a root address."""
    return f"{root_url.rstrip('/')}/{department_id}"


def open_store(
    url: str,
    *,
    durability: Durability = "full",
    clock: Clock = utc_now,
    create: bool = True,
    endpoint_url: str | None = None,
    region: str | None = None,
) -> Store:
    """Open the store at an address, making it if nothing is there.

    Args:
        url: ``file:///…`` or ``s3://bucket/prefix``, whose keys are in the environment
            (``AWS_ACCESS_KEY_ID``, …).
        durability: See ``LocalBackend``; a bucket is always durable.
        clock: The time that manifests and refs carry.
        create: Whether to make what is missing; who only reads should not.
        endpoint_url: Of a bucket's server; ``AWS_ENDPOINT_URL`` if None, and AWS if that is unset.
        region: Of a bucket; ``AWS_REGION`` if None.

    Raises:
        ConfigError: No address of a store, or something else is there. No retry.
        ObjectNotFoundError: There is no store, and none is to be made. No retry.
        StoreError: The folder or bucket cannot be read, or the store not made.
    """
    if url.startswith(f"{S3_SCHEME}:"):
        # boto3 takes 0.2 s to import, which every command would pay for.
        from airnub_prefect_starter.core.store.s3_client import S3Connection  # noqa: PLC0415
        from airnub_prefect_starter.core.store.s3_opening import open_s3  # noqa: PLC0415

        connection = S3Connection(endpoint_url=endpoint_url, region=region)
        return Store(open_s3(url, connection, create=create), clock)
    folder = _folder_of(url)
    if not create:
        _require_store(folder, url)
    return Store(LocalBackend(folder, durability=durability), clock)


def _require_store(folder: Path, url: str) -> None:
    with translated(f"Opening the store {folder}"):
        if not (folder / layout.MARKER_KEY).is_file():
            raise ObjectNotFoundError(
                f"There is no store at {url}", "Correct the address, or store something there first"
            )


def _folder_of(url: str) -> Path:
    parts = urlsplit(url)
    path = Path(url2pathname(parts.path))
    local = parts.scheme == "file" and parts.netloc in {"", "localhost"}
    if not local or not path.is_absolute() or parts.query or parts.fragment:
        raise ConfigError(
            f"{url!r} is not the address of a store",
            "Write file:///absolute/path or s3://bucket/prefix",
        )
    return path
