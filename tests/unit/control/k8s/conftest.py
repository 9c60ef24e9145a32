from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.control.k8s.fake_tools import FakeTools


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    fake = FakeTools(tmp_path / "bin")
    fake.install(monkeypatch)
    return fake
