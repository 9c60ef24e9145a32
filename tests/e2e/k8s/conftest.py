"""One cluster and one release for all tests here: `airnub k8s up` from nothing, `down` at the end.

``AIRNUB_E2E_KEEP=1`` takes the release that is there, as it is, and leaves it there.
"""

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.e2e.k8s.kit import Api, Release, airnub

TOOLS = ("docker", "kind", "kubectl", "helm", "skaffold")
KEEP = os.environ.get("AIRNUB_E2E_KEEP") == "1"


@pytest.fixture(scope="session")
def release() -> Iterator[Release]:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not on PATH: {', '.join(missing)}")
    if KEEP:
        yield Release()
        return
    airnub("k8s", "down")
    airnub("k8s", "up", timeout=1500)
    yield Release()
    airnub("k8s", "down")


@pytest.fixture
def api(release: Release) -> Iterator[Api]:
    with release.api() as opened:
        yield opened
