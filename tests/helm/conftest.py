"""The chart, as `helm template` renders it: no cluster, no image, seconds."""

from pathlib import Path

import pytest

from tests.helm.kit import HELM

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if HELM is not None:
        return
    skip = pytest.mark.skip(reason="helm is not on PATH")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(skip)
