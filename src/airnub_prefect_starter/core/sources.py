"""Sources as configuration: what a category's configuration model is made of.

A source's ``source_id`` is explicit, so that what is stored under it does not depend on where the
source is found today. A secret is named here; its value is an argument of the functions that fetch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.http.policy import AccessPolicy, HttpLimits
from airnub_prefect_starter.core.http.urls import check_url_text
from airnub_prefect_starter.core.manifest_models import DigestText, StoreName

__all__ = [
    "AccessPolicy",
    "ApiSource",
    "AuthHeader",
    "CursorPaging",
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

UrlText = Annotated[str, Field(max_length=2048), AfterValidator(check_url_text)]
MediaType = Annotated[str, Field(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$")]


class AuthHeader(ConfigModel):
    """A header that proves who asks: ``<header>: <prefix><secret>``."""

    secret: str = Field(
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", description="Name of the secret, not its value"
    )
    header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]+$")
    prefix: str = Field(default="Bearer ", pattern=r"^[\x20-\x7e]*$")


class HttpSource(ConfigModel):
    """Something that a GET answers with."""

    source_id: StoreName = Field(description="What it is stored as; unique in its category")
    url: UrlText = Field(description="http or https address without credentials")
    media_type: MediaType | None = Field(default=None, description="What is promised")
    expected_digest: DigestText | None = Field(default=None, description="The only bytes accepted")
    require_nonempty: bool = Field(default=True, description="Is an empty body an error")
    auth: AuthHeader | None = None
    access: AccessPolicy = AccessPolicy()
    limits: HttpLimits = HttpLimits()


class FileSource(HttpSource):
    """A file: its bytes are kept as they come."""


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
    next_path: str = Field(default="next_cursor", description="Where in the body, dotted")


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
    params: Mapping[str, str] = Field(default={}, description="Query parameters of every request")
    paging: Paging = NoPaging()
    items_path: str = Field(
        default="", description="Where in the body the items are, dotted; empty: the body itself"
    )
    total_path: str | None = Field(
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
