from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter.core.store import open_store
from tests.fault_server import FaultServer
from tests.fetch_kit import Kept, PatientClient


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
