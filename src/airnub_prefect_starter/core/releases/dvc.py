"""Data sets as DVC knows them: pointer files, and bytes by MD5 in the layout of a DVC remote.

A remote keeps each file under ``files/md5/<2 hex>/<30 hex>`` of its MD5, and a folder as a JSON
list of its files under the MD5 of that list and ``.dir``. A pointer is a small YAML file that names
one of the two. MD5 is DVC's key alone: the SHA-256 in ``meta`` proves the bytes.

Source: the format of DVC 3 (dvc-data, hashfile/tree.py; https://dvc.org/doc/user-guide/project-
structure/dvc-files).
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import yaml

from airnub_prefect_starter.common.errors import ConfigError, StoreIntegrityError
from airnub_prefect_starter.common.utils import CHUNK_BYTES
from airnub_prefect_starter.core.manifest_models import Record
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.bodies import BytesBody
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import DVC, Key
from airnub_prefect_starter.core.store.protocol import Body

DIR = ".dir"
_AWS = (".amazonaws.com", ".amazonaws.com.cn")


class DvcFile(Record):
    """One file of a data set: its name in it, its size in bytes, and both hashes."""

    name: str
    md5: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Remote:
    """Where a DVC remote is; ``endpoint`` is that of a bucket's server, None if it is AWS."""

    address: str
    endpoint: str | None = None

    def commands(self) -> tuple[str, ...]:
        """Give the commands that pull what pointers in the present folder name, for a shell."""
        endpoint = ("dvc", "remote", "modify", "store", "endpointurl", self.endpoint or "")
        commands = (
            ("dvc", "init", "--no-scm"),
            ("dvc", "remote", "add", "--default", "store", self.address),
            *((endpoint,) if self.endpoint else ()),
            ("dvc", "pull"),
        )
        return tuple(map(shlex.join, commands))


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes:
        """Read up to so many bytes."""


def remote_of(store: Store) -> Remote:
    """Say how to reach the remote of a store, on disk or in a bucket.

    Raises:
        ConfigError: The store is neither. No retry.
    """
    bucket = getattr(store.backend, "bucket", None)
    if bucket is not None:
        address = f"{bucket.address.url}/{DVC}".rstrip("/")
        return Remote(address, _unless_aws(bucket.connection.endpoint))
    folder = store.backend.local_path(Key(DVC.rstrip("/")))
    if folder is None:
        raise ConfigError("DVC needs a store on disk or in a bucket", "Use file:// or s3://")
    return Remote(str(folder))


def _unless_aws(endpoint: str) -> str | None:
    return None if (urlsplit(endpoint).hostname or "").endswith(_AWS) else endpoint


def object_key(md5: str) -> Key:
    """Give the key of an object in the store; what is after ``dvc/`` is the remote's own."""
    return Key(f"{DVC}files/md5/{md5[:2]}/{md5[2:]}")


def put_file(store: Store, name: str, blob: str) -> DvcFile:
    """Copy a blob of the store into the remote, and give what a pointer says of it.

    Raises:
        ObjectNotFoundError: There is no such blob. No retry.
        StoreIntegrityError: What was written reads back otherwise. A retry may help.
        StoreError: The store cannot be read or written.
    """
    with store.spool() as spool:
        with store.open_blob(blob) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                spool.write(chunk)
        with spool.reader() as written:
            md5 = _md5(written)
        spool.seal()
        _put(store, object_key(md5), spool, Digest(spool.digest), md5)
        return DvcFile(name=name, md5=md5, sha256=spool.digest, size=spool.size)


def put_folder(store: Store, files: Sequence[DvcFile]) -> str:
    """Write the list of a folder's files, which are in the remote already; give its ``.dir`` MD5.

    Raises:
        StoreError: The store cannot be written.
    """
    data = folder_list(files)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest() + DIR
    _put(store, object_key(md5), BytesBody(data), Digest.of(data), md5.removesuffix(DIR))
    return md5


def folder_list(files: Sequence[DvcFile]) -> bytes:
    """Serialise a folder as DVC does: ordered by path, keys sorted, with spaces."""
    listed = [{"md5": each.md5, "relpath": each.name} for each in files]
    listed.sort(key=lambda each: each["relpath"])
    return json.dumps(listed, sort_keys=True).encode()


def pointer(name: str, md5: str, files: Sequence[DvcFile], meta: Mapping[str, Any]) -> bytes:
    """Write a pointer file, to be called ``<name>.dvc``.

    Args:
        name: Of the file or folder, beside the pointer.
        md5: Of the file, or of the folder's list, with ``.dir``.
        files: The file itself, or those of the folder.
        meta: What else to say; DVC keeps it and does not read it.
    """
    out: dict[str, Any] = {"md5": md5, "size": sum(each.size for each in files), "hash": "md5"}
    if md5.endswith(DIR):
        out["nfiles"] = len(files)
    out["path"] = name
    document = {"outs": [out], "meta": dict(meta)}
    return yaml.safe_dump(document, sort_keys=False, width=1000).encode()


def _put(store: Store, key: Key, body: Body, sha256: Digest, md5: str) -> None:
    """Put an object unless it is there, and read it back; what has rotted is written again."""
    backend = store.backend
    for if_absent in (True, False):
        backend.put(key, body, sha256=sha256, size=body.size, if_absent=if_absent)
        with backend.open(key) as reader:
            found = _md5(reader)
        if found == md5:
            return
    raise StoreIntegrityError(f"{key} came back with the MD5 {found}", "Try again")


def _md5(stream: _Readable) -> str:
    hasher = hashlib.md5(usedforsecurity=False)
    while chunk := stream.read(CHUNK_BYTES):
        hasher.update(chunk)
    return hasher.hexdigest()
