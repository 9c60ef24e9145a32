from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.core.store.local import Durability
from tests.store_conformance import BackendConformance, MakeBackend, StoreConformance
from tests.unit.core.store.tools import local_backend


@pytest.fixture(params=["full", "batch", "none"])
def durability(request: pytest.FixtureRequest) -> Durability:
    found: Durability = request.param
    return found


class TestLocalBackend(BackendConformance):
    @pytest.fixture
    def make_backend(self, tmp_path: Path, durability: Durability) -> MakeBackend:
        return lambda: local_backend(tmp_path / "store", durability=durability)


class TestStoreOnLocalBackend(StoreConformance):
    @pytest.fixture
    def make_backend(self, tmp_path: Path, durability: Durability) -> MakeBackend:
        return lambda: local_backend(tmp_path / "store", durability=durability)
