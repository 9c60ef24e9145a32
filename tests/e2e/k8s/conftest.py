"""One cluster and one release for all tests here: `airnub k8s up` from nothing, `down` at the end.

A cluster that is there is not touched: ``AIRNUB_E2E_KEEP=1`` runs the tests on its release, which
they upgrade and roll back, and leaves it there.
"""

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.e2e.k8s.kit import Api, Release, airnub, run

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
    if "airnub" in run("kind", "get", "clusters").stdout.split():
        pytest.fail("A cluster is there: AIRNUB_E2E_KEEP=1 uses it, `airnub k8s down` removes it")
    airnub("k8s", "up", timeout=1500)
    yield Release()
    airnub("k8s", "down")


@pytest.fixture
def api(release: Release) -> Iterator[Api]:
    with release.api() as opened:
        yield opened
