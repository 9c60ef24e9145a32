"""The Delta tables of a content store: where they are, and reading them in bounded memory.

The library's own ways to pandas and Arrow data sets are not used: they can abort the interpreter
when it exits (delta-io/delta-rs#2184). Everything is read by SQL instead.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.lake.faults import translated
from airnub_prefect_starter.core.lake.table_step import Writers
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.protocol import StoreBackend
from airnub_prefect_starter.core.tables import to_pandas

log = logging.getLogger(__name__)

LAYERS = ("bronze", "silver", "gold", "quarantine", "features", "ops")
TABLES = "tables/"
_NAME = re.compile(rf"({'|'.join(LAYERS)})/[a-z0-9][a-z0-9_-]{{0,62}}")
_LOG = "/_delta_log/"
# Each partition of a query holds its own batches and hash tables: so few bound its memory.
_QUERY = {"datafusion.execution.target_partitions": "2", "datafusion.execution.batch_size": "8192"}

Version = int | dt.datetime | None


class Lake:
    """The Delta tables below ``tables/`` of a content store, by names such as ``silver/flights``.

    Args:
        backend: The store's.
        root: Address of ``tables/`` as the Delta library writes it, without a slash at the end.
    """

    def __init__(self, backend: StoreBackend, root: str) -> None:
        self._backend = backend
        self._root = root

    @classmethod
    def of(cls, store: Store) -> Lake:
        """Give the tables of a content store, on disk or in a bucket.

        Raises:
            ConfigError: The store is neither. No retry.
        """
        bucket = getattr(store.backend, "bucket", None)
        if bucket is not None:
            return cls(store.backend, f"{bucket.address.url}/{TABLES}".rstrip("/"))
        folder = store.backend.local_path(Key(TABLES.rstrip("/")))
        if folder is None:
            raise ConfigError("Tables need a store on disk or in a bucket", "Use file:// or s3://")
        return cls(store.backend, str(folder))

    @property
    def storage_options(self) -> dict[str, str]:
        """What the Delta library needs to reach the tables; nothing on disk."""
        bucket = getattr(self._backend, "bucket", None)
        if bucket is None:
            return {}
        # boto3 takes 0.2 s to import.
        from airnub_prefect_starter.core.lake.s3_options import storage_options  # noqa: PLC0415

        return storage_options(bucket)

    def uri(self, table: str) -> str:
        """Give a table's address.

        Raises:
            ConfigError: It is no name of a table. No retry.
        """
        if not _NAME.fullmatch(table):
            raise ConfigError(
                f"{table[:80]!r} cannot be a table", f"Use LAYER/NAME, a layer of {LAYERS}"
            )
        return f"{self._root}/{table}"

    def exists(self, table: str) -> bool:
        """Tell whether a table is there.

        Raises:
            StoreError: The store cannot be read.
        """
        uri = self.uri(table)
        with translated(f"Looking up the table {table}"):
            return DeltaTable.is_deltatable(uri, self.storage_options)

    def tables(self) -> list[str]:
        """List the tables that are there, sorted.

        Raises:
            StoreError: The store cannot be read.
        """
        names = (stat.key.removeprefix(TABLES) for stat in self._backend.list(TABLES))
        return sorted({name.partition(_LOG)[0] for name in names if _LOG in name})

    def open(self, table: str, *, version: Version = None) -> DeltaTable:
        """Open a table, at a version or as it was at a time.

        Raises:
            ObjectNotFoundError: There is no such table or version. No retry.
            StoreError: It cannot be read.
        """
        uri = self.uri(table)
        with translated(f"Opening the table {table}"):
            found = DeltaTable(uri, storage_options=self.storage_options)
            if version is not None:
                found.load_as_version(version)
        return found

    def query(self, sql: str, tables: Mapping[str, str]) -> pd.DataFrame:
        """Run SQL over tables; only its result is held, so aggregate or filter in the query.

        Args:
            sql: What DataFusion understands; rows come in no order but that of its ORDER BY.
            tables: Name in the SQL → table.

        Raises:
            ObjectNotFoundError: A table is not there. No retry.
            TableSchemaError: The SQL names what a table has not. No retry.
            StoreError: A table cannot be read.
        """
        return select(sql, {name: self.open(table) for name, table in tables.items()})

    def stream(self, sql: str, tables: Mapping[str, str]) -> Any:
        """Run SQL and give its result as a ``pyarrow.RecordBatchReader``; see `query`."""
        return run_sql(sql, {name: self.open(table) for name, table in tables.items()})

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        partitions: Mapping[str, str] | None = None,
        version: Version = None,
    ) -> pd.DataFrame:
        """Read a table, or some columns and partitions of it, into memory.

        Args:
            table: Its name.
            columns: Those to read; None for all.
            partitions: Partition column → the value that rows must have.
            version: See `open`.

        Raises:
            StoreError: See `query`.
        """
        opened = self.open(table, version=version)
        names = ", ".join(map(quoted, columns)) if columns is not None else "*"
        tests = [f"{quoted(name)} = {literal(value)}" for name, value in (partitions or {}).items()]
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        return select(f"SELECT {names} FROM t{where}", {"t": opened})

    def require_commits(self, table: str, writers: Writers) -> None:
        """Refuse a table of many writers where the server lets two commit the same version.

        A commit is a put of ``_delta_log/<n>.json`` if it is absent. Where a server ignores that
        condition, of two writers at once the first one's commit is lost without a word. One writer
        at a time, as a concurrency limit gives, loses nothing there; so it may go on.

        Raises:
            ConfigError: That is so. No retry.
            StoreError: The bucket cannot be asked.
        """
        bucket = getattr(self._backend, "bucket", None)
        if bucket is None:
            return
        from airnub_prefect_starter.core.store.s3_abilities import abilities  # noqa: PLC0415
        from airnub_prefect_starter.core.store.s3_faults import (  # noqa: PLC0415
            translated as s3_translated,
        )

        with s3_translated("Looking at what the object store can do"):
            if abilities(bucket).put_if_absent:
                return
        where = bucket.connection.endpoint
        if writers == "many":
            raise ConfigError(
                f"{table} has many writers, but {where} does not honour conditional puts"
                " (If-None-Match: *): of two commits at once one would be lost",
                "Set `writers: single` and a limit of 1 for it, or use another object store",
            )
        log.warning(
            "%s is safe with one writer at a time only: %s lacks put-if-absent", table, where
        )


def run_sql(sql: str, tables: Mapping[str, DeltaTable]) -> Any:
    """Run SQL over opened tables; see `Lake.stream`."""
    builder = QueryBuilder(_QUERY)
    for name, table in tables.items():
        builder.register(name, table)
    with translated(f"The query {' '.join(sql.split())[:120]!r}"):
        return pa.RecordBatchReader.from_stream(builder.execute(sql))


def select(sql: str, tables: Mapping[str, DeltaTable]) -> pd.DataFrame:
    """Run SQL over opened tables and hold its result; see `Lake.query`."""
    with translated(f"The query {' '.join(sql.split())[:120]!r}"):
        return to_pandas(run_sql(sql, tables))


def quoted(name: str) -> str:
    """Quote a column's name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Quote a text for SQL."""
    return "'" + value.replace("'", "''") + "'"
