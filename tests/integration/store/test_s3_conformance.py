"""The conformance suites on a real S3 server, with no more than the key of a department."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from airnub_prefect_starter.common.errors import StoreDeniedError
from airnub_prefect_starter.core.store import open_store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import BLOBS, Key, blob_key
from airnub_prefect_starter.core.store.probe_s3 import s3_findings
from airnub_prefect_starter.core.store.protocol import PutStatus
from airnub_prefect_starter.core.store.s3 import S3Backend
from airnub_prefect_starter.core.store.s3_bucket import S3Sizes
from tests.s3_kit import S3Server, bucket_of, s3_backend
from tests.store_conformance import (
    BackendConformance,
    MakeBackend,
    StoreConformance,
    fetch,
    put,
    read,
)

MIB = 1 << 20
# The smallest part that S3 takes is 5 MiB.
IN_PARTS = S3Sizes(single_put_max=5 * MIB, part_min=5 * MIB, copy_max=5 * MIB)
LARGE = bytes(range(256)) * (12 * MIB // 256)


@pytest.fixture(scope="module")
def department(minio: S3Server) -> S3Server:
    return minio.of_department()


@pytest.fixture
def url(department: S3Server) -> Iterator[str]:
    """A store, while this process has the key of its department."""
    with department.reachable():
        yield department.url()


class TestS3Backend(BackendConformance):
    @pytest.fixture
    def make_backend(self, url: str) -> MakeBackend:
        return lambda: s3_backend(url)


class TestS3BackendInParts(BackendConformance):
    @pytest.fixture
    def make_backend(self, url: str) -> MakeBackend:
        return lambda: s3_backend(url, sizes=IN_PARTS)


class TestStoreOnS3Backend(StoreConformance):
    @pytest.fixture
    def make_backend(self, url: str) -> MakeBackend:
        return lambda: s3_backend(url)


def test_puts_and_copies_in_parts(url: str) -> None:
    backend = s3_backend(url, sizes=IN_PARTS)
    key, status = put(backend, LARGE)
    assert (status, put(backend, LARGE)[1]) == (PutStatus.CREATED, PutStatus.EXISTS)
    assert put(backend, LARGE, if_absent=False)[1] is PutStatus.CREATED
    assert backend.touch(key)
    assert backend.move(key, Key("quarantine/large"))
    assert read(backend, Key("quarantine/large")) == LARGE
    # MinIO tells the uploads of one object only.
    name = backend.bucket.address.name(key)
    assert "Uploads" not in backend.bucket.call("list_multipart_uploads", Prefix=name)


def test_what_many_touch_at_once_is_there_for_all(url: str) -> None:
    backend = s3_backend(url)
    key, _ = put(backend, b"bytes")

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(backend.touch, [key] * 24))


def test_a_department_reaches_no_other(minio: S3Server, department: S3Server) -> None:
    if not minio.ours:
        pytest.skip("no users are made on a server that the tests have not started")
    theirs = minio.url()
    with minio.reachable():
        fetch(open_store(theirs), b"theirs")
    with department.reachable():
        fetch(open_store(department.url()), b"ours")
        for url in (theirs, f"{department.root}-too", minio.root):
            with pytest.raises(StoreDeniedError, match="AccessDenied"):
                open_store(url)
        theirs_by_name = S3Backend(bucket_of(theirs))
        with pytest.raises(StoreDeniedError, match="AccessDenied"):
            list(theirs_by_name.list(BLOBS))
        with pytest.raises(StoreDeniedError, match="AccessDenied"):
            read(theirs_by_name, blob_key(Digest.of(b"theirs")))


def test_a_departments_key_is_enough_for_all_that_is_asked(url: str) -> None:
    findings = list(s3_findings(bucket_of(url)))
    assert {each.probe: each.state for each in findings} == {
        f"P{number}": "ok" for number in range(1, 11)
    }
    assert list(s3_backend(url).list("tmp/")) == []
