"""What is known of a table without reading its rows: from the Delta log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable

from airnub_prefect_starter.core.lake.writing import columns_of

# What leaves the rows as they were says nothing of how fresh they are.
_UPKEEP = ("OPTIMIZE", "VACUUM", "FSCK", "CLEANUP", "SET TBLPROPERTIES", "ADD CONSTRAINT")
_NULLS = "null_count."


@dataclass(frozen=True)
class Batch:
    """A partition, or the whole of a table that has none: its rows and nulls per column."""

    name: str
    rows: int
    nulls: Mapping[str, int]


@dataclass(frozen=True)
class TableFacts:
    """A table as its log describes it; batches are sorted by name."""

    table: str
    version: int
    written_at: datetime
    columns: Mapping[str, str]
    batches: tuple[Batch, ...]
    size_bytes: int

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(batch.rows for batch in self.batches)

    def null_shares(self) -> dict[str, tuple[float, str]]:
        """Give, per column, the greatest share of nulls that a batch has, and that batch."""
        found: dict[str, tuple[float, str]] = {}
        for batch in self.batches:
            for column, nulls in batch.nulls.items():
                share = nulls / batch.rows if batch.rows else 0.0
                if column not in found or share > found[column][0]:
                    found[column] = (share, batch.name)
        return found


def table_facts(name: str, table: DeltaTable, batch_column: str | None = None) -> TableFacts:
    """Read a table's log: version, time of the last write, columns, rows and nulls per batch.

    Args:
        name: How results call the table.
        table: The table, opened.
        batch_column: Its partition column; None takes the table as one batch.
    """
    actions = pa.table(table.get_add_actions(flatten=True)).to_pandas()
    partition = f"partition.{batch_column}"
    names = actions[partition].astype("str") if partition in actions else "the table"
    counted = actions.assign(_batch=names, _rows=actions["num_records"])
    return TableFacts(
        table=name,
        version=table.version(),
        written_at=_written_at(table),
        columns=columns_of(table),
        batches=tuple(_batch(str(key), part) for key, part in counted.groupby("_batch")),
        size_bytes=int(actions["size_bytes"].sum()),
    )


def _batch(name: str, files: pd.DataFrame) -> Batch:
    nulls = {
        column.removeprefix(_NULLS): int(files[column].fillna(0).sum())
        for column in files.columns
        if column.startswith(_NULLS)
    }
    return Batch(name, int(files["_rows"].sum()), nulls)


def _written_at(table: DeltaTable) -> datetime:
    commits = table.history()  # the newest first
    writes = [each for each in commits if not str(each["operation"]).startswith(_UPKEEP)]
    return datetime.fromtimestamp((writes or commits)[0]["timestamp"] / 1000, UTC)
