from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.core.store.local import Durability, LocalBackend
from tests.store_conformance import BackendConformance, MakeBackend, StoreConformance


@pytest.fixture(params=["full", "batch", "none"])
def durability(request: pytest.FixtureRequest) -> Durability:
    found: Durability = request.param
    return found


class TestLocalBackend(BackendConformance):
    @pytest.fixture
    def make_backend(self, tmp_path: Path, durability: Durability) -> MakeBackend:
        return lambda: LocalBackend(tmp_path / "store", durability=durability)


class TestStoreOnLocalBackend(StoreConformance):
    @pytest.fixture
    def make_backend(self, tmp_path: Path, durability: Durability) -> MakeBackend:
        return lambda: LocalBackend(tmp_path / "store", durability=durability)
