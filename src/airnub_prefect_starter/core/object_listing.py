"""Files of a bucket or folder: all of them, page by page, into the content store.

What is landed once is not read again while the bucket says that it is the same (ETag). Keys are
other people's texts: a file's name in the store is made of its readable part and a digest of all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError, StoreError
from airnub_prefect_starter.core.manifest_models import RunInfo, Source, SourceResult
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.commits import FetchCommit
from airnub_prefect_starter.core.store.faults import translated as disk_errors
from airnub_prefect_starter.core.store.s3_address import S3Address, parse_s3_url
from airnub_prefect_starter.core.store.s3_client import S3Connection, client_for
from airnub_prefect_starter.core.store.s3_faults import translated as s3_errors

CHUNK_BYTES = 1 << 20
_SLUG_CHARACTERS, _DIGEST_CHARACTERS = 40, 12


@dataclass(frozen=True)
class ListedObject:
    """A file of a listing: its name below the address, size in bytes, time of change and ETag."""

    name: str
    size: int
    modified: datetime
    etag: str | None

    @property
    def source_id(self) -> str:
        """Name in the store: unique, since it holds a digest of the whole name."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:_SLUG_CHARACTERS]
        digest = hashlib.sha256(self.name.encode()).hexdigest()[:_DIGEST_CHARACTERS]
        return f"{slug}-{digest}".lstrip("-")


class Body(Protocol):
    """The bytes of a file."""

    def read(self, size: int, /) -> bytes:
        """Give the next bytes; none at the end."""


class ObjectFolder(Protocol):
    """Where files are listed and read."""

    address: str

    def files(self) -> Iterator[ListedObject]:
        """Give every file, in order of names."""

    def open(self, item: ListedObject) -> AbstractContextManager[Body]:
        """Open a file for reading."""

    def url(self, item: ListedObject) -> str:
        """Give a file's address."""


def open_folder(address: str) -> ObjectFolder:
    """Give what stands at ``s3://bucket/prefix`` or ``file:///folder``.

    Raises:
        ConfigError: It is neither. No retry.
    """
    if address.startswith("s3:"):
        return BucketFolder(parse_s3_url(address))
    parts = urlsplit(address)
    path = Path(url2pathname(parts.path))
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not path.is_absolute():
        raise ConfigError(
            f"{address!r} is no bucket or folder", "Write s3://bucket/prefix or file:///folder"
        )
    return DiskFolder(path)


def list_objects(folder: ObjectFolder) -> list[ListedObject]:
    """List every file, however many pages that takes.

    Raises:
        ObjectNotFoundError: There is none: an empty prefix is a mistake, not success. No retry.
        StoreError: It cannot be listed; retry where it is transient.
    """
    found = list(folder.files())
    if not found:
        raise ObjectNotFoundError(
            f"There are no files at {folder.address}", "Correct the address, or upload some first"
        )
    return found


def land_object(
    store: Store, folder: ObjectFolder, item: ListedObject, *, namespace: str, run: RunInfo
) -> SourceResult:
    """Store a file's bytes with a manifest, unless its ETag is that of the last time.

    Raises:
        ObjectNotFoundError: It is gone since it was listed. No retry.
        StoreError: It cannot be read or stored; retry where it is transient.
    """
    known = store.ref(namespace, item.source_id)
    if item.etag and known and known.etag == item.etag:
        return _result(store.unchanged(namespace, item.source_id), item, namespace, read=0)
    source = Source(
        url=folder.url(item),
        final_url=folder.url(item),
        etag=item.etag,
        filename=item.name.rpartition("/")[2][:255],
    )
    with store.spool() as spool, folder.open(item) as stream:
        for chunk in iter(partial(stream.read, CHUNK_BYTES), b""):
            spool.write(chunk)
        size = spool.size
        committed = store.commit_fetch(
            FetchCommit(
                namespace=namespace, source_id=item.source_id, source=source, spool=spool, run=run
            )
        )
    return _result(committed, item, namespace, read=size)


class BucketFolder:
    """A prefix of a bucket; the server and its keys are those of the environment (``AWS_*``)."""

    def __init__(self, place: S3Address) -> None:
        self.address = place.url
        self._place = place
        self._client = client_for(S3Connection())

    def files(self) -> Iterator[ListedObject]:
        """Give every file but those that only stand for folders."""
        prefix = f"{self._place.prefix}/" if self._place.prefix else ""
        pages = self._client.get_paginator("list_objects_v2")
        with s3_errors(f"Listing {self.address}"):
            for page in pages.paginate(Bucket=self._place.bucket, Prefix=prefix):
                for each in page.get("Contents", ()):
                    if not each["Key"].endswith("/"):
                        yield self._listed(each)

    def open(self, item: ListedObject) -> AbstractContextManager[Body]:
        """Open the version that was listed; that it was replaced since is a transient error."""
        with s3_errors(f"Reading {self.url(item)}"):
            # Of another version than the listed one, the ETag would stand for other bytes.
            answer = self._client.get_object(
                Bucket=self._place.bucket, Key=self._place.name(item.name), IfMatch=item.etag
            )
        return _S3Body(answer["Body"], f"Reading {self.url(item)}")

    def url(self, item: ListedObject) -> str:
        """Give ``s3://bucket/key``."""
        return f"{self.address}/{item.name}"

    def _listed(self, each: dict[str, Any]) -> ListedObject:
        name = str(self._place.key(each["Key"]))
        modified = each["LastModified"].astimezone(UTC)
        return ListedObject(name, int(each["Size"]), modified, each["ETag"])


class _S3Body:
    """The body of an answer, whose errors are those of the store."""

    def __init__(self, body: Any, doing: str) -> None:
        self._body = body
        self._doing = doing

    def read(self, size: int, /) -> bytes:
        with s3_errors(self._doing):
            return bytes(self._body.read(size))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._body.close()


class DiskFolder:
    """A folder on this machine, with all folders in it; links are not followed out of it."""

    def __init__(self, folder: Path) -> None:
        self.address = folder.as_uri()
        self._folder = folder

    def files(self) -> Iterator[ListedObject]:
        """Give every file but hidden ones."""
        with disk_errors(f"Listing {self.address}"):
            paths = sorted(p for p in self._folder.rglob("*") if p.is_file() and not p.is_symlink())
            for path in paths:
                name = path.relative_to(self._folder).as_posix()
                if not any(part.startswith(".") for part in name.split("/")):
                    about = path.stat()
                    modified = datetime.fromtimestamp(about.st_mtime, UTC)
                    yield ListedObject(name, about.st_size, modified, None)

    def open(self, item: ListedObject) -> AbstractContextManager[Body]:
        """Open a file."""
        with disk_errors(f"Reading {self.url(item)}"):
            return (self._folder / item.name).open("rb")

    def url(self, item: ListedObject) -> str:
        """Give ``file:///folder/name``."""
        return f"{self.address}/{quote(item.name)}"


def _result(committed: Any, item: ListedObject, namespace: str, read: int) -> SourceResult:
    ref = committed.ref
    if ref.blob is None:
        raise StoreError(
            f"{namespace}/{item.source_id} is a derivation, not a file", "Use another namespace"
        )
    return SourceResult(
        source_id=item.source_id,
        namespace=namespace,
        outcome=committed.outcome,
        manifest=ref.manifest.digest,
        blob=ref.blob,
        bytes_in=read,
        attempts=1,
    )
