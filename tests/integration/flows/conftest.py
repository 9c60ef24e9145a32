"""The project's own flows on an embedded platform of their own: its state, store and ports."""

import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any

# Importing Prefect makes this folder.
os.environ.setdefault("PREFECT_HOME", tempfile.mkdtemp(prefix="prefect-home-"))

import pytest

from airnub_prefect_starter.common.settings import Settings, load_settings
from airnub_prefect_starter.core.store import Store, department_url, open_store
from tests.integration.flows.kit import ROOT, airnub, platform_of
from tests.s3_kit import reaching, s3_server


@pytest.fixture(scope="session")
def store_root(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Give the variables that lead to an empty place for stores, on disk or in a bucket."""
    if request.param == "disk":
        yield {"AIRNUB_STORE_URL": (tmp_path_factory.mktemp("platform") / "store").as_uri()}
        return
    with s3_server() as server:
        # No more than what runs need: a key that cannot make buckets or see other prefixes.
        given = server.of_department()
        yield {**given.environment, "AIRNUB_STORE_URL": given.root}


@pytest.fixture(scope="session")
def environment(
    store_root: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Start a platform for this repository below a temporary folder; give its environment."""
    home = tmp_path_factory.mktemp("platform") / "state"
    with platform_of(ROOT, home, **store_root) as given:
        yield given


@pytest.fixture(scope="session")
def settings(environment: dict[str, str]) -> Settings:
    return load_settings(environment)


@pytest.fixture(scope="session")
def registered(environment: dict[str, str]) -> dict[str, str]:
    done = airnub(environment, "bootstrap")
    assert done.returncode == 0, done.stderr
    return environment


@pytest.fixture(scope="session")
def first_run(registered: dict[str, str]) -> list[dict[str, Any]]:
    """Run the whole department once, as `make demo` does."""
    done = airnub(registered, "run", "project_alpha", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    summaries: list[dict[str, Any]] = json.loads(done.stdout)
    return summaries


@pytest.fixture
def _reached(store_root: dict[str, str]) -> Iterator[None]:
    """Let this process find the store, while the test runs."""
    with reaching(store_root):
        yield


@pytest.fixture
def alpha(settings: Settings, _reached: None) -> Store:
    return open_store(department_url(settings.store_url, "project_alpha"))


@pytest.fixture
def beta(settings: Settings, _reached: None) -> Store:
    return open_store(department_url(settings.store_url, "project_beta"))
