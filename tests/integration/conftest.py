"""Integration tests wait more than they work: two workers share the folders (see the Makefile)."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
OWN_WORKER = "control"  # about half of the time; each folder needs its platform once


# xdist reads the groups in the same hook, and would be called before this folder.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each folder on one worker, because its tests share a platform.

    Tests that have a platform of their own name their group themselves.
    """
    for item in items:
        if item.path.is_relative_to(HERE) and item.get_closest_marker("xdist_group") is None:
            folder = item.path.relative_to(HERE).parts[0]
            group = folder if folder == OWN_WORKER else "others"
            item.add_marker(pytest.mark.xdist_group(group))
