"""An S3 server that misbehaves on demand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airnub_prefect_starter.core.store.s3 import S3Backend
from airnub_prefect_starter.core.store.s3_abilities import forget_abilities
from tests.broken_s3 import BrokenS3
from tests.s3_kit import reaching
from tests.unit.core.store.s3_tools import backend


@pytest.fixture(scope="module")
def broken_server() -> Iterator[BrokenS3]:
    """One server, so that its client, which takes 0.2 s to make, is made once."""
    with BrokenS3() as server, reaching(server.environment):
        yield server


@pytest.fixture
def broken(broken_server: BrokenS3) -> BrokenS3:
    """The server as new, which this process finds."""
    broken_server.reset()
    forget_abilities()
    return broken_server


@pytest.fixture
def plain(broken: BrokenS3) -> S3Backend:
    """A backend on the server that repeats nothing by itself."""
    return backend()
