"""Errors of the Delta library as errors of the store, translated in this one place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    SchemaMismatchError,
    TableNotFoundError,
)

from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    ObjectNotFoundError,
    StarterError,
    StoreDeniedError,
    StoreUnavailableError,
    TableConflictError,
    TableSchemaError,
)
from airnub_prefect_starter.core.store.faults import store_error

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SERVER = re.compile(
    r"Generic (S3|HTTP)|HTTP error|error sending request|timed? ?out", re.IGNORECASE
)
_DENIED = re.compile(r"AccessDenied|403 Forbidden|401 Unauthorized|InvalidAccessKeyId|Signature")
_LACKS = re.compile(r"501 Not Implemented|<Code>NotImplemented")
_GONE = re.compile(r"[Nn]ot ?[Ff]ound|No such file")
_BAD_VERSION = re.compile(r"[Ii]nvalid table version|version \d+ (is )?not|No commits found")
_BROKEN = re.compile(r"Json error|Parquet error|Invalid checkpoint|Corrupt")
_BACKTRACE = re.compile(r"\n\s*0: .*", re.DOTALL)
_SCHEMA = re.compile(
    r"Schema error|[Nn]o field named|[Cc]ast|type_coercion|not? match|SQL error"
    r"|Error during planning|not implemented|Arrow error"
)
_EXISTS = re.compile(r"already exists")
_PLANNING = re.compile(r"^(SQL error|Schema error|Error during planning)")

_RETRY = "Try again; another run wrote at the same moment"
_REWRITE = "Run the step that makes the table again; see docs/data-lake.md"
_RENAME = "Correct the names and types in the step or the query"
_OTHER_SERVER = "Tables need conditional puts: use another object store; see `airnub store doctor`"
_DOWN = "Check AWS_ENDPOINT_URL and that the object store runs and can be reached from here"


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn any error of the Delta library inside into the store's error for it.

    Raises:
        ObjectNotFoundError: There is no such table or version. No retry.
        TableConflictError: Another writer committed first. A retry helps.
        TableSchemaError: Columns or types do not fit. No retry.
        CorruptObjectError: The table's log or one of its files cannot be read. No retry.
        StoreDeniedError: The keys are wrong or may not do this. No retry.
        StoreUnavailableError: The object store does not answer. A retry may help.
        ConfigError: The object store refuses conditional puts. No retry.
    """
    try:
        yield
    except Exception as exc:  # the library raises the bare class too; the rest passes as it is
        known = isinstance(exc, DeltaError | pa.ArrowException | OSError) or type(exc) is Exception
        found = _of(exc, doing) if known else None
        if found is None:
            raise  # a bug, or something new: a translation would hide it
        raise found from exc


def _of(exc: Exception, doing: str) -> StarterError | None:
    text = _one_line(exc)
    message = f"{doing} failed: {text}"
    if isinstance(exc, TableNotFoundError):
        return ObjectNotFoundError(f"{doing} failed: there is no such table", _REWRITE)
    if isinstance(exc, CommitFailedError):
        return TableConflictError(message, _RETRY)
    if isinstance(exc, SchemaMismatchError):
        return TableSchemaError(message, "Let the step add columns, or correct its types")
    if isinstance(exc, DeltaProtocolError):
        return CorruptObjectError(message, _REWRITE)
    if isinstance(exc, OSError) and exc.errno:
        return store_error(exc, doing)
    return _by_text(text, message)


def _by_text(text: str, message: str) -> StarterError | None:
    server = _SERVER.search(text) and not _GONE.search(text)
    # A plan is wrong before any file is read, whatever names its message repeats.
    found: tuple[tuple[object, type[StarterError], str], ...] = (
        (_PLANNING.search(text), TableSchemaError, _RENAME),
        (_EXISTS.search(text), TableConflictError, _RETRY),  # two made the table at once
        (_LACKS.search(text), ConfigError, _OTHER_SERVER),
        (_DENIED.search(text), StoreDeniedError, "Give the key read and write access to tables/"),
        (_BAD_VERSION.search(text), ObjectNotFoundError, "See the versions in the catalog"),
        (server, StoreUnavailableError, _DOWN),
        (_GONE.search(text) or _BROKEN.search(text), CorruptObjectError, _REWRITE),
        (_SCHEMA.search(text), TableSchemaError, _RENAME),
    )
    return next((kind(message, remedy) for is_it, kind, remedy in found if is_it), None)


def _one_line(exc: Exception) -> str:
    text = _BACKTRACE.sub("", _COLOUR.sub("", str(exc)))
    return " ".join(text.replace("↳", "").split()).rstrip(".")[:500]
