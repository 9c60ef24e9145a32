"""Connections to databases: read only, in one snapshot, with a limit on every wait."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.pool import NullPool

from airnub_prefect_starter.core.database.url import is_sqlite, sqlite_path
from airnub_prefect_starter.core.sources import DatabaseSource

_STEPS_BETWEEN_LOOKS = 10_000
# A peer that vanished without a word is given up after 30 + 3 x 10 seconds.
_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# For this transaction alone, and as bound values, so that a pooler in between does not mind.
_SETTINGS = sa.text(
    "SELECT set_config('statement_timeout', :timeout_ms, true),"
    " set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true)"
)


@dataclass(frozen=True)
class Snapshot:
    """A transaction that only reads and sees no change that comes after its beginning.

    ``restart_clock`` must be called before each fetch: only a server times those itself.
    """

    connection: sa.Connection
    is_sqlite: bool
    restart_clock: Callable[[], None]


@contextmanager
def snapshot(source: DatabaseSource, password: SecretStr | None) -> Iterator[Snapshot]:
    """Connect to a source's database and begin to read.

    Raises:
        sqlalchemy.exc.DBAPIError: It cannot be reached, or refuses.
    """
    opened = _sqlite if is_sqlite(source.url) else _postgresql
    with opened(source, password) as found:
        yield found


@contextmanager
def _postgresql(source: DatabaseSource, password: SecretStr | None) -> Iterator[Snapshot]:
    url = sa.make_url(source.url).set(
        drivername="postgresql+psycopg",
        password=password.get_secret_value() if password else None,
    )
    arguments = {
        "connect_timeout": source.limits.connect_timeout_s,
        "prepare_threshold": None,  # a pooler may give each transaction another session
        **_KEEPALIVE,
    }
    engine = sa.create_engine(
        url,
        poolclass=NullPool,
        connect_args=arguments,
        hide_parameters=True,
        isolation_level="REPEATABLE READ",
    )
    with engine.connect() as plain:
        connection = plain.execution_options(postgresql_readonly=True)
        timeout_ms = str(source.limits.statement_timeout_s * 1000)
        connection.execute(_SETTINGS, {"timeout_ms": timeout_ms})
        yield Snapshot(connection, is_sqlite=False, restart_clock=_nothing)


def _nothing() -> None:
    """Leave the time to the server."""


@contextmanager
def _sqlite(source: DatabaseSource, _: SecretStr | None) -> Iterator[Snapshot]:
    clock = _Clock(source.limits.statement_timeout_s)

    def connect() -> sqlite3.Connection:
        # Read only: an address that is mistyped must not make a file.
        uri = f"file:{quote(sqlite_path(source.url))}?mode=ro"
        made = sqlite3.connect(uri, uri=True, timeout=source.limits.connect_timeout_s)
        made.set_progress_handler(clock.is_over, _STEPS_BETWEEN_LOOKS)
        return made

    engine = sa.create_engine(
        "sqlite://", poolclass=NullPool, creator=connect, hide_parameters=True
    )
    with engine.connect() as connection:
        # The driver begins a transaction before it writes only; without one, the schema and each
        # statement could be of another moment.
        connection.exec_driver_sql("BEGIN")
        yield Snapshot(connection, is_sqlite=True, restart_clock=clock.restart)


class _Clock:
    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.restart()

    def restart(self) -> None:
        self._end = time.monotonic() + self._limit_s

    def is_over(self) -> bool:
        return time.monotonic() > self._end
