"""Unit tests take seconds: Prefect, which takes one to import, stays out."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse unit tests that import Prefect; other folders may, in the same run."""
    alone = all(item.path.is_relative_to(HERE) for item in session.items)
    if alone and "prefect" in sys.modules:
        raise pytest.UsageError("A unit test imports Prefect: it belongs to tests/integration")
