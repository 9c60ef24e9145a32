"""A store that can be filled, and a server that misbehaves to fetch from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airnub_prefect_starter.core.manifest_models import RunInfo, Source
from airnub_prefect_starter.core.store import Committed, FetchCommit, Store, open_store
from tests.fault_server import FaultServer
from tests.fetch_kit import Kept, PatientClient

PutSource = Callable[..., Committed]


@pytest.fixture
def content_store(tmp_path: Path) -> Store:
    return open_store(
        (tmp_path / "store").as_uri(),
        durability="none",
        clock=lambda: datetime(2026, 1, 31, 12, tzinfo=UTC),
    )


@pytest.fixture
def put_source(content_store: Store) -> PutSource:
    def put(
        ref: str, body: bytes, *, run_id: str | None = None, content_encoding: str | None = None
    ) -> Committed:
        namespace, source_id = ref.split("/")
        url = f"http://sources.example/{source_id}"
        with content_store.spool() as spool:
            spool.write(body)
            return content_store.commit_fetch(
                FetchCommit(
                    namespace=namespace,
                    source_id=source_id,
                    source=Source(url=url, final_url=url, content_encoding=content_encoding),
                    spool=spool,
                    run=RunInfo(flow_run_id=run_id),
                )
            )

    return put


@pytest.fixture
def faults() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    folder = tmp_path / "store"
    return Kept(open_store(folder.as_uri(), durability="none"), folder)


@pytest.fixture
def client() -> Iterator[PatientClient]:
    made = PatientClient()
    yield made
    made.close()
