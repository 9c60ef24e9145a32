"""The project's own flows on an embedded platform of their own: its state, store and ports."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Importing Prefect makes this folder.
os.environ.setdefault("PREFECT_HOME", tempfile.mkdtemp(prefix="prefect-home-"))

import pytest

from airnub_prefect_starter.common.settings import Settings, load_settings
from airnub_prefect_starter.control import platform
from airnub_prefect_starter.control.environment import Layout, child_environment, read_state
from airnub_prefect_starter.core.store import Store, department_url, open_store

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a platform for this repository below a temporary folder; give its environment."""
    home = tmp_path_factory.mktemp("platform")
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRNUB_", "PREFECT_", "SOURCES_"))
    }
    settings = load_settings(
        {
            **clean,
            "AIRNUB_PROJECT_ROOT": str(ROOT),
            "AIRNUB_HOME": str(home / "state"),
            "AIRNUB_STORE_URL": (home / "store").as_uri(),
        }
    )
    try:
        platform.up(settings)
        state = read_state(Layout(settings.home))
        assert state is not None
        yield child_environment(settings, state)
    finally:
        platform.down(settings)


@pytest.fixture(scope="session")
def settings(environment: dict[str, str]) -> Settings:
    return load_settings(environment)


@pytest.fixture
def alpha(settings: Settings) -> Store:
    return open_store(department_url(settings.store_url, "project_alpha"))
