"""One PostgreSQL for all tests of this folder, and a schema for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres_kit import Postgres, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def schema(postgres: Postgres) -> Iterator[str]:
    with postgres.schema() as name:
        yield name
