"""One S3 server for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.s3_kit import S3Server, s3_server


@pytest.fixture(scope="session")
def minio() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(minio: S3Server) -> Iterator[S3Server]:
    """The server, which this process finds while the test runs."""
    with minio.reachable():
        yield minio
