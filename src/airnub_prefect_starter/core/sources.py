"""Sources as configuration: what a category's configuration model is made of.

A source's ``source_id`` is explicit, so that what is stored under it does not depend on where the
source is found today. A secret is named here; its value is an argument of the functions that fetch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from airnub_prefect_starter.common.addresses import is_file_address, path_of, split_digest
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.database.url import check_database_url
from airnub_prefect_starter.core.http.policy import AccessPolicy, HttpLimits
from airnub_prefect_starter.core.http.urls import check_url_text
from airnub_prefect_starter.core.manifest_models import DigestText
from airnub_prefect_starter.core.run_date import (
    DatedName,
    DatedText,
    check_braces,
    check_dated,
    sample,
)

__all__ = [
    "AccessPolicy",
    "ApiSource",
    "AuthHeader",
    "CursorPaging",
    "DatabaseLimits",
    "DatabaseSource",
    "FileSource",
    "HttpLimits",
    "HttpSource",
    "LinkPaging",
    "NoPaging",
    "OffsetPaging",
    "PageNumberPaging",
    "PageSource",
    "Paging",
]

MIB = 1 << 20
GIB = 1 << 30


def _dated_url(url: str) -> str:
    check_url_text(sample(url))
    return url


def _dated_file_url(url: str) -> str:
    if is_file_address(url):
        path_of(url)
        return url
    return _dated_url(url)


def _dated_database_url(url: str) -> str:
    check_database_url(sample(url))
    return url


UrlText = Annotated[DatedText, Field(max_length=2048), AfterValidator(_dated_url)]
FileUrlText = Annotated[DatedText, Field(max_length=2048), AfterValidator(_dated_file_url)]
# Braces come last: their message repeats them, and may not repeat a password.
DatabaseUrl = Annotated[
    str,
    Field(max_length=2048),
    AfterValidator(_dated_database_url),
    AfterValidator(check_braces),
]
SecretName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", description="Name of the secret, not its value"),
]
ColumnName = Annotated[DatedText, Field(min_length=1, max_length=128)]
MediaType = Annotated[str, Field(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$")]


class AuthHeader(ConfigModel):
    """A header that proves who asks: ``<header>: <prefix><secret>``."""

    secret: SecretName
    header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]+$")
    prefix: str = Field(default="Bearer ", pattern=r"^[\x20-\x7e]*$")


class HttpSource(ConfigModel):
    """Something that a GET answers with."""

    source_id: DatedName = Field(description="What it is stored as; unique in its category")
    url: UrlText = Field(description="http or https address without credentials")
    media_type: MediaType | None = Field(default=None, description="What is promised")
    expected_digest: DigestText | None = Field(default=None, description="The only bytes accepted")
    require_nonempty: bool = Field(default=True, description="Is an empty body an error")
    auth: AuthHeader | None = None
    access: AccessPolicy = AccessPolicy()
    limits: HttpLimits = HttpLimits()

    @model_validator(mode="after")
    def _dates_kept_apart(self) -> Self:
        check_dated(self.source_id, self.address_texts)
        return self

    @property
    def address_texts(self) -> tuple[str, ...]:
        """All that says where it is; a ``{date}`` may stand in each."""
        return (self.url,)

    @property
    def secret_name(self) -> str | None:
        """Name of the department's secret that opens the source, if it needs one."""
        return self.auth.secret if self.auth else None


class FileSource(HttpSource):
    """A file: its bytes are kept as they come.

    An address that ends with ``#sha256=<hex>`` says which bytes alone are accepted. With
    ``access.allow_files`` it may be ``file:///…``, a file where the run is.
    """

    url: FileUrlText = Field(
        description="http or https address without credentials, or file:/// with allow_files"
    )

    @model_validator(mode="before")
    @classmethod
    def _digest_of_address(cls, value: Any) -> Any:
        if not (isinstance(value, Mapping) and isinstance(value.get("url"), str)):
            return value
        url, digest = split_digest(value["url"])
        if "#" in url:
            raise ValueError("url: what follows # must be sha256=<64 hex digits>")
        if digest is None:
            return value
        given = value.get("expected_digest")
        if given not in {None, digest}:
            raise ValueError(f"url and expected_digest name different digests: {digest}, {given}")
        return {**value, "url": url, "expected_digest": digest}

    @model_validator(mode="after")
    def _file_allowed(self) -> Self:
        if is_file_address(self.url):
            if not self.access.allow_files:
                raise ValueError("url is a file: set access.allow_files if that is meant")
            if self.auth is not None:
                raise ValueError("auth does not apply to a file")
        return self


class PageSource(HttpSource):
    """A web page: read as robots.txt allows, its HTML is kept."""

    media_type: MediaType | None = "text/html"
    max_page_bytes: int = Field(default=16 * MIB, ge=1, description="Largest page, decoded")
    delay_s: float = Field(
        default=1, ge=0, description="Between requests to the host where robots.txt says nothing"
    )
    max_crawl_delay_s: float = Field(
        default=30, ge=0, description="Most of what robots.txt asks for that is honoured"
    )


class _Pages(ConfigModel):
    size_param: str | None = Field(default=None, description="Asks for `size` items a page")
    size: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _size_complete(self) -> Self:
        if (self.size_param is None) != (self.size is None):
            raise ValueError("size_param and size go together")
        return self


class NoPaging(ConfigModel):
    """One response holds everything."""

    kind: Literal["none"] = "none"


class PageNumberPaging(_Pages):
    """Pages are counted; the first empty one, or the total, ends."""

    kind: Literal["page"]
    page_param: str = "page"
    first_page: int = Field(default=1, ge=0)


class OffsetPaging(_Pages):
    """Items are counted; the first empty page, or the total, ends."""

    kind: Literal["offset"]
    offset_param: str = "offset"


class CursorPaging(_Pages):
    """Each page names the next one; null or nothing ends.

    Where the API leaves the name out even on a first page that is the only one, set the total.
    """

    kind: Literal["cursor"]
    cursor_param: str = "cursor"
    next_path: DatedText = Field(default="next_cursor", description="Where in the body, dotted")


class LinkPaging(_Pages):
    """A ``Link: <...>; rel="next"`` header leads on (RFC 8288)."""

    kind: Literal["link"]


Paging = Annotated[
    NoPaging | PageNumberPaging | OffsetPaging | CursorPaging | LinkPaging,
    Field(discriminator="kind"),
]


class ApiSource(HttpSource):
    """A JSON API: its items are kept, one a line, from all pages."""

    media_type: MediaType | None = "application/json"
    params: Mapping[str, DatedText] = Field(
        default={}, description="Query parameters of every request"
    )
    paging: Paging = NoPaging()
    items_path: DatedText = Field(
        default="", description="Where in the body the items are, dotted; empty: the body itself"
    )
    total_path: DatedText | None = Field(
        default=None, description="Where in the body the number of all items is, dotted"
    )
    total_header: str | None = Field(
        default=None, description="Header with the number of all items, such as X-Total-Count"
    )
    max_pages: int = Field(default=10_000, ge=1)
    max_page_bytes: int = Field(default=64 * MIB, ge=1, description="Largest page, decoded")
    collection_validators: bool = Field(
        default=False,
        description="Does the ETag of the first page stand for all pages? Only then is it used",
    )

    @property
    def address_texts(self) -> tuple[str, ...]:
        """See ``HttpSource.address_texts``."""
        return (self.url, self.items_path, *self.params.values())


class DatabaseLimits(ConfigModel):
    """How much and how long, so that no table can hold a run or fill a disk."""

    max_rows: int = Field(default=100_000_000, ge=1, description="Most rows of one read")
    max_bytes: int = Field(default=10 * GIB, ge=1, description="Largest read, as JSON lines")
    connect_timeout_s: int = Field(default=10, ge=1, description="Connecting, to each address")
    statement_timeout_s: int = Field(
        default=300, ge=1, description="For each statement: finding the first rows, then each chunk"
    )


class DatabaseSource(ConfigModel):
    """A table or view: its rows are kept, one a line; with a watermark, only new ones are read.

    A query belongs into the database, as a view.
    """

    source_id: DatedName = Field(description="What it is stored as; unique in its category")
    url: DatabaseUrl = Field(
        description="postgresql://USER@HOST/DATABASE or sqlite:////FILE, without a password"
    )
    secret: SecretName | None = Field(
        default=None, description="Name of the secret that is the password"
    )
    table: DatedText = Field(
        min_length=1, max_length=128, description="Table or view, as the database spells it"
    )
    db_schema: ColumnName | None = Field(
        default=None, description="Schema of the table; by default where the user's tables are"
    )
    columns: tuple[ColumnName, ...] | None = Field(
        default=None, min_length=1, description="Which to read; by default all"
    )
    key: tuple[ColumnName, ...] = Field(
        min_length=1, description="Columns that make a row unique (with the watermark, if any)"
    )
    watermark: ColumnName | None = Field(
        default=None, description="Column that grows with each new or changed row"
    )
    on_schema_change: Literal["fail", "accept"] = Field(
        default="fail", description="`accept` reads everything again when columns changed"
    )
    max_increments: int = Field(
        default=365, ge=1, description="After so many, everything is read again"
    )
    chunk_rows: int = Field(default=10_000, ge=1, le=1_000_000, description="In memory at once")
    require_nonempty: bool = Field(default=True, description="Is a table without rows an error")
    limits: DatabaseLimits = DatabaseLimits()

    @property
    def secret_name(self) -> str | None:
        """Name of the department's secret that opens the source, if it needs one."""
        return self.secret

    @property
    def order(self) -> tuple[str, ...]:
        """Columns that rows are ordered by; no two rows may agree in all of them."""
        first = (self.watermark,) if self.watermark is not None else ()
        return (*first, *(name for name in self.key if name != self.watermark))

    @property
    def full_name(self) -> str:
        """The table with its schema, if it has one, as messages call it."""
        return f"{self.db_schema}.{self.table}" if self.db_schema else self.table

    @model_validator(mode="after")
    def _dates_kept_apart(self) -> Self:
        columns = (*(self.columns or ()), *self.order)
        check_dated(self.source_id, (self.url, self.db_schema or "", self.table, *columns))
        return self

    @model_validator(mode="after")
    def _columns_complete(self) -> Self:
        for name in self.order:
            if self.columns is not None and name not in self.columns:
                raise ValueError(f"{name!r} of key or watermark is not among the columns")
        for field, names in (("columns", self.columns or ()), ("key", self.key)):
            if len(set(names)) != len(names):
                raise ValueError(f"{field} names a column twice")
        return self
