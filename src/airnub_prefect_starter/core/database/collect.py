"""The rows of one read in a spool, and how far it came."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from airnub_prefect_starter.common.errors import PayloadError, TooLargeError
from airnub_prefect_starter.core.database.reader import OpenTable
from airnub_prefect_starter.core.database.rows import Row, name_row
from airnub_prefect_starter.core.database.sql_types import NUMBERS
from airnub_prefect_starter.core.manifest_models import Watermark
from airnub_prefect_starter.core.store import Spool
from airnub_prefect_starter.core.store.digest import ALGORITHM

_NUMBER: tuple[type, ...] = (int, float, Decimal)
_NOT_NUMBER: tuple[type, ...] = (str, dt.date)


@dataclass(frozen=True)
class Collected:
    """What was read; ``bytes_in`` counts rows too that were known and left out."""

    rows: int
    bytes_in: int
    watermark: Watermark | None


def collect(spool: Spool, table: OpenTable, since: Watermark | None) -> Collected:
    """Read a table into a spool: all of it, or what is not known since a watermark.

    Raises:
        TooLargeError: There are more rows or bytes than allowed. No retry.
        PayloadError: Two rows have one key, or a row cannot be written. No retry.
        SourceError: As for `OpenTable.chunks`.
    """
    collector = _Collector(spool, table, since)
    # Closed before the connection is, also if a chunk is refused.
    with closing(table.chunks(since.last if since else None)) as chunks:
        for chunk in chunks:
            collector.add(chunk)
    return collector.finish()


class _Collector:
    def __init__(self, spool: Spool, table: OpenTable, since: Watermark | None) -> None:
        self._spool = spool
        self._source = table.source
        self._kinds = {each.name: each.kind for each in table.columns}
        self._since = since
        self._place: tuple[Any, ...] | None = None
        self._tail = hashlib.sha256()
        self._rows = self._bytes_in = 0

    def add(self, chunk: Iterable[Row]) -> None:
        lines: list[bytes] = []
        for row in chunk:
            if self._begins_group(row):
                if self._since is not None and self._place is not None:
                    self._write(lines)
                    lines = []
                    self._leave_out_known(self._since)
                self._tail = hashlib.sha256()
            self._place = row.place
            if self._source.watermark is not None:
                self._tail.update(row.line)
            lines.append(row.line)
        self._write(lines)

    def finish(self) -> Collected:
        if self._since is not None and self._place is not None:
            self._leave_out_known(self._since)
        return Collected(self._rows, self._bytes_in, self._watermark())

    def _begins_group(self, row: Row) -> bool:
        """Tell whether a row is the first with its watermark; refuse one whose key comes twice."""
        if row.place == self._place:
            raise PayloadError(
                f"{name_row(self._source, row.place)}: there is more than one",
                "Add columns to `key` until it is unique",
            )
        if self._source.watermark is None:
            return False
        return self._place is None or row.place[0] != self._place[0]

    def _leave_out_known(self, since: Watermark) -> None:
        """Forget the rows at the last read's watermark if they are just those that it had."""
        self._since = None
        if self._spool.digest == since.tail:
            self._spool.reset()
            self._rows = 0

    def _write(self, lines: list[bytes]) -> None:
        data = b"".join(lines)
        self._rows += len(lines)
        self._bytes_in += len(data)
        limits = self._source.limits
        if self._rows > limits.max_rows or self._bytes_in > limits.max_bytes:
            raise TooLargeError(
                f"{self._source.full_name} gives more than {limits.max_rows:,} rows or "
                f"{limits.max_bytes:,} bytes",
                "Raise `limits.max_rows` or `limits.max_bytes` of the source, or read a view",
            )
        self._spool.write(data)

    def _watermark(self) -> Watermark | None:
        name = self._source.watermark
        if name is None or self._place is None:
            return None
        last = self._place[0]
        allowed = _NUMBER if self._kinds[name] in NUMBERS else _NUMBER + _NOT_NUMBER
        if not isinstance(last, allowed):
            raise PayloadError(
                f"{self._source.full_name}.{name} ends with {last!r}, which is no watermark",
                "SQLite lets any column hold anything: read a view with values of one type",
            )
        tail = f"{ALGORITHM}:{self._tail.hexdigest()}"
        return Watermark(column=name, last=str(last), tail=tail)
