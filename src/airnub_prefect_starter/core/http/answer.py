"""What a GET was answered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

import urllib3

from airnub_prefect_starter.common.errors import (
    BlockedUrlError,
    RedirectError,
    TruncatedBodyError,
)
from airnub_prefect_starter.core.http.urls import split_url
from airnub_prefect_starter.core.redaction import redact_url

OK = frozenset({200, 203})
REDIRECTS = frozenset({301, 302, 303, 307, 308})

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What a GET was answered with, its body still to be read.

    ``url`` and ``redirects`` are as asked, with what they may hold of tokens: redact them.
    """

    status: int
    headers: Headers
    url: str
    raw: urllib3.BaseHTTPResponse
    redirects: tuple[str, ...] = ()

    def read_up_to(self, max_bytes: int) -> bytes:
        """Read the body, or so much of it.

        Raises:
            SourceError: As for ``read``.
        """
        body = bytearray()
        while len(body) < max_bytes and (chunk := self.read(max_bytes - len(body))):
            body += chunk
        return bytes(body)

    def read(self, size: int) -> bytes:
        """Read so many bytes of the body as they come over the wire; none are left at its end.

        Fewer may mean the end, or that it broke off: reading on tells.

        Raises:
            TruncatedBodyError: It broke off. A retry may help.
            TooSlowError: Time is up. A retry may help.
        """
        try:
            return self.raw.read(size, decode_content=False)
        except (urllib3.exceptions.HTTPError, ValueError):
            failure = TruncatedBodyError(
                f"{redact_url(self.url)} broke off after {self.raw.tell():,} bytes",
                "Try again later",
            )
        raise failure


def redirect_target(answer: Answer) -> str:
    """Return the absolute address that a redirect leads to.

    Raises:
        RedirectError: It names none. No retry.
        BlockedUrlError: It names one that is not allowed. No retry.
    """
    location = answer.headers.get("Location", "")
    if not location:
        raise RedirectError(
            f"{redact_url(answer.url)} redirects to nowhere", "Ask the owner of the source"
        )
    try:
        target = urljoin(answer.url, location.encode("latin-1").decode())
    except ValueError:  # UnicodeError is one
        raise RedirectError(
            f"{redact_url(answer.url)} redirects to what is no address",
            "Ask the owner of the source",
        ) from None
    refuse_downgrade(answer.url, target)
    return target


def refuse_downgrade(url: str, target: str) -> None:
    """Refuse to go on without encryption where it was there before.

    Raises:
        BlockedUrlError: That would happen, or one of them is no address. No retry.
    """
    if split_url(url).scheme == "https" and split_url(target).scheme == "http":
        raise BlockedUrlError(
            f"{redact_url(url)} leads to {redact_url(target)}, which is not encrypted",
            "Name the final address in the configuration if that is right",
        )
