from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter.common.settings import Settings
from tests.project_kit import make_project, own_flows, project_settings
from tests.unit.control.doctor.kit import FakeApi, fake_api
from tests.unit.control.k8s.fake_tools import FakeTools


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    root = make_project(tmp_path / "project")
    with own_flows():
        yield project_settings(root, SOURCES_URL="http://127.0.0.1:9", SAMPLE_TOKEN="hush")  # noqa: S106


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as server:
        yield server


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    fake = FakeTools(tmp_path / "bin")
    fake.install(monkeypatch)
    return fake
