"""Addresses of databases as text: which are well formed, without the libraries that connect."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from airnub_prefect_starter.core.redaction import redact_url

POSTGRESQL = frozenset({"postgresql", "postgresql+psycopg"})
SQLITE = "sqlite"
# Whatever else libpq understands may be a credential, or change what our own settings promise.
_PARAMETERS = frozenset({"application_name", "sslmode", "sslrootcert", "target_session_attrs"})


def check_database_url(url: str) -> str:
    """Return an address of a configuration file if it names a database and holds no password.

    One that still holds a ``${NAME}`` is left for later.

    Raises:
        ValueError: It does not; the message does not repeat it.
    """
    if "${" in url:
        return url
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not an address; write postgresql://USER@HOST/DATABASE") from None
    if parts.password is not None:
        raise ValueError(
            "holds a password; name a secret of the department under `secret` instead, and take "
            "the password out of the address"
        )
    if parts.scheme == SQLITE:
        _check_sqlite(parts)
    elif parts.scheme in POSTGRESQL:
        _check_postgresql(parts, host)
    else:
        raise ValueError("neither a postgresql:// nor a sqlite:// address")
    return url


def is_sqlite(url: str) -> bool:
    """Tell whether an address is that of a SQLite file; else it is PostgreSQL's."""
    return urlsplit(url).scheme == SQLITE


def sqlite_path(url: str) -> str:
    """Return the file that a SQLite address names."""
    return unquote(urlsplit(url).path[1:])


def shown_url(url: str) -> str:
    """Return an address as messages show it."""
    return url if is_sqlite(url) else redact_url(url)


def recorded_url(url: str) -> str:
    """Return an address as manifests record it: of a file its name, for folders differ by host."""
    if is_sqlite(url):
        return f"{SQLITE}:///{PurePosixPath(sqlite_path(url)).name}"
    return redact_url(url)


def _check_sqlite(parts: SplitResult) -> None:
    if parts.netloc or parts.query or parts.fragment or not parts.path.startswith("//"):
        raise ValueError("names no file; write sqlite:////absolute/path.db")


def _check_postgresql(parts: SplitResult, host: str | None) -> None:
    if not host or not parts.path.strip("/") or "/" in parts.path[1:]:
        raise ValueError("names no host or database; write postgresql://USER@HOST/DATABASE")
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _PARAMETERS:
            raise ValueError(
                f"has the parameter {name!r}; allowed are {', '.join(sorted(_PARAMETERS))}"
            )
