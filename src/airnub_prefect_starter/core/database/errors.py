"""What databases say is wrong, translated once into this project's errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError

from airnub_prefect_starter.common.errors import (
    PayloadError,
    SourceError,
    SourceRejectedError,
    SourceUnavailableError,
    TooSlowError,
)
from airnub_prefect_starter.core.database.url import shown_url
from airnub_prefect_starter.core.sources import DatabaseSource

# libpq gives no code for what went wrong before a session began, only these words.
_REFUSALS = (
    "authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "not permitted to log in",
)
_SQLITE_NOT_NOW = ("SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_LOCKED")
_QUERY_CANCELED = "57014"
# Classes of SQLSTATE that say no more than "not now": connection, rollback (also that of a standby
# which catches up), resources, operator, system.
_NOT_NOW = ("08", "40", "53", "57", "58")
_REMEDIES: Mapping[type[SourceError], str] = {
    PayloadError: "Correct the value, or leave its column out with `columns`",
    SourceRejectedError: "Check the address, the user, its rights and the secret with its password",
    SourceUnavailableError: "Check that the database runs and can be reached",
    TooSlowError: "Index the columns of key and watermark, or raise `limits.statement_timeout_s`",
}


@contextmanager
def translated(source: DatabaseSource) -> Iterator[None]:
    """Translate what the database says while a source is read.

    Raises:
        SourceUnavailableError: It cannot be reached, or was lost on the way. A retry may help.
        TooSlowError: A statement took too long. A retry may help.
        SourceRejectedError: It refuses: the password, a right, a statement. No retry.
        PayloadError: It has a value that cannot be read. No retry.
    """
    try:
        yield
    except DBAPIError as error:
        raise _translate(error, source) from error


def _translate(error: DBAPIError, source: DatabaseSource) -> SourceError:
    kind = _sqlite(error.orig) if isinstance(error.orig, sqlite3.Error) else _postgresql(error)
    what = f"{shown_url(source.url)}, table {source.full_name}: {_first_line(error)}"
    if kind is TooSlowError:
        what += f" after {source.limits.statement_timeout_s} s"
    return kind(what, _REMEDIES[kind])


def _sqlite(error: sqlite3.Error) -> type[SourceError]:
    name = getattr(error, "sqlite_errorname", None)
    if name is None:  # said by Python: text that is not UTF-8
        return PayloadError
    if name == "SQLITE_INTERRUPT":
        return TooSlowError
    return SourceUnavailableError if name.startswith(_SQLITE_NOT_NOW) else SourceRejectedError


def _postgresql(error: DBAPIError) -> type[SourceError]:
    code = getattr(error.orig, "sqlstate", None)
    if isinstance(error, DataError):
        return PayloadError
    if code == _QUERY_CANCELED:
        return TooSlowError
    lost = isinstance(error, OperationalError | InterfaceError)
    return SourceUnavailableError if is_not_now(error.orig, lost=lost) else SourceRejectedError


def is_not_now(error: BaseException | None, *, lost: bool) -> bool:
    """Tell whether what PostgreSQL's driver raised may be otherwise later.

    Args:
        error: The driver's error.
        lost: Whether its class says that there is no session (any more).
    """
    code = getattr(error, "sqlstate", None)
    if code is not None:
        return str(code).startswith(_NOT_NOW)
    return lost and not any(words in str(error) for words in _REFUSALS)


def _first_line(error: DBAPIError) -> str:
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error.orig).__name__
