"""Category flows run in this process: a real server, a store of their own, sources on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter.blocks import ContentStore
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.tasks import run_context
from tests.fault_server import FaultServer
from tests.integration.departments.kit import StoreOf


@pytest.fixture
def sources() -> Iterator[FaultServer]:
    """Serve what a test says on loopback, soundly or not."""
    with FaultServer() as server:
        yield server


@pytest.fixture
def store_of(prefect_server: None, tmp_path: Path) -> Iterator[StoreOf]:
    """Give a department an empty store, registered as its block."""

    def register(department: Department) -> Store:
        block = ContentStore(
            url=(tmp_path / "store").as_uri(), department=department.id, durability="none"
        )
        block.save(department.block, overwrite=True)
        return block.get_store()

    run_context.department_store.cache_clear()
    yield register
    run_context.department_store.cache_clear()
