"""The conformance suites on a real S3 server."""

from __future__ import annotations

import pytest

from tests.s3_kit import S3Server, s3_backend
from tests.store_conformance import BackendConformance, MakeBackend, StoreConformance


@pytest.fixture
def url(s3: S3Server) -> str:
    return s3.url()


class TestS3Backend(BackendConformance):
    @pytest.fixture
    def make_backend(self, url: str) -> MakeBackend:
        return lambda: s3_backend(url)


class TestStoreOnS3Backend(StoreConformance):
    @pytest.fixture
    def make_backend(self, url: str) -> MakeBackend:
        return lambda: s3_backend(url)
