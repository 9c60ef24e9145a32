"""A small lake: a store on disk, a clock, and a way to write tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.writing import WriteInfo, overwrite, replace_partition
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.store import Store

INFO = WriteInfo(run=RunInfo(), inputs=f"sha256:{'0' * 64}")

Write = Callable[..., int]


@pytest.fixture
def lake(content_store: Store) -> Lake:
    return Lake.of(content_store)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def write(lake: Lake) -> Write:
    """Write rows as a table, or as one batch of it."""

    def written(table: str, rows: dict[str, Any], batch: str | None = None) -> int:
        frame = pd.DataFrame(rows)
        if batch is None:
            return overwrite(lake, table, frame, INFO, schema_change=True)
        return replace_partition(
            lake, table, frame.assign(_batch=batch), INFO, column="_batch", value=batch
        )

    return written
