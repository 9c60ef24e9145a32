"""What is published is the version that counts when it is the publisher's turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airnub_prefect_starter.core.lake import publish
from airnub_prefect_starter.core.lake.publish import core_publish_table
from airnub_prefect_starter.core.lake.warehouse import TableVersion
from airnub_prefect_starter.core.lake.warehouse_config import PublishedTable, Warehouse
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.store import open_store
from tests.lake_kit import put_table, ref_of

GOLD = "gold/days"
TABLE = PublishedTable(name="days", input=ref_of(GOLD))
WAREHOUSE = Warehouse(url="postgresql://writer@nowhere/warehouse")


class EmptyTable:
    """A table of a warehouse that nobody has published yet."""

    def rows_of(self, _version: TableVersion) -> int | None:
        return None

    def replace(self, _version: TableVersion, rows: Iterable[Sequence[Any]], _run: RunInfo) -> int:
        return len(list(rows))


def test_who_waited_publishes_what_came_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store((tmp_path / "store").as_uri(), durability="none")
    put_table(store, GOLD, pd.DataFrame({"day": [1]}), ["day"])

    @contextmanager
    def after_a_while(*_: object) -> Iterator[EmptyTable]:
        put_table(store, GOLD, pd.DataFrame({"day": [1, 2]}), ["day"])
        yield EmptyTable()

    monkeypatch.setattr(publish, "open_target", after_a_while)

    published = core_publish_table(store, TABLE, WAREHOUSE)

    assert (published.version, published.rows) == (1, 2)
