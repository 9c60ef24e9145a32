"""A body that is read whole into memory and decoded, because it is about to be parsed."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass

from airnub_prefect_starter.common.errors import DigestMismatchError, PayloadError
from airnub_prefect_starter.core.http.answer import OK, Answer, Headers
from airnub_prefect_starter.core.http.client import SourceSession
from airnub_prefect_starter.core.http.download import (
    READ_BYTES,
    check_length,
    content_encoding,
    describe,
    too_large,
)
from airnub_prefect_starter.core.manifest_models import Source
from airnub_prefect_starter.core.redaction import redact_url

# Window bits of zlib: 31 reads gzip, 15 zlib, -15 bare deflate, which some servers call deflate.
_GZIP, _ZLIB, _BARE = 31, 15, -15


@dataclass(frozen=True)
class Document:
    """A decoded body, what is recorded of it, and the headers and address it came with."""

    body: bytes
    about: Source
    headers: Headers
    url: str


def read_document(
    session: SourceSession, url: str, max_bytes: int, conditions: Headers | None = None
) -> Document | None:
    """Read a document, with gzip and deflate undone if the server used them unasked.

    Args:
        session: Whom to ask.
        url: What for.
        max_bytes: Limit of the body, as it comes and decoded.
        conditions: Validators of what is there already.

    Returns:
        The document, or None: it is unchanged.

    Raises:
        TooLargeError: It is over the limit, packed or unpacked. No retry.
        DigestMismatchError: It is not what Repr-Digest says. Once more may help, as
            `fetching.twice_if_damaged` does it.
        PayloadError: It is encoded in a way that was not asked for and is not known. No retry.
        SourceError: As for `SourceSession.get`.
    """
    accept = OK | {304} if conditions else OK
    with session.get(url, conditions, accept=accept) as answer:
        if answer.status == 304:
            return None
        wire = _read(session, answer, max_bytes)
        about = describe(answer, url)
        encoding = content_encoding(answer)
    _check_digest(about, wire)
    body = decode(wire, encoding, answer.url, max_bytes)
    # Both speak of the bytes on the wire, and what is kept is decoded.
    about = about.model_copy(update={"content_encoding": None, "claimed_digest": None})
    return Document(body, about, answer.headers, answer.url)


def decode(wire: bytes, encoding: str | None, url: str, max_bytes: int) -> bytes:
    """Undo a Content-Encoding, never producing more than ``max_bytes``.

    Raises:
        TooLargeError: More would come out. No retry.
        PayloadError: The encoding is unknown, or the bytes are not in it. No retry.
    """
    if encoding is None:
        return wire
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise PayloadError(
            f"{redact_url(url)} is encoded as {encoding}, though identity was asked for",
            "gzip and deflate can be read; ask the owner of the source for one of them",
        )
    try:
        return _inflate(wire, _window(wire, encoding), url, max_bytes)
    except zlib.error:
        raise PayloadError(
            f"{redact_url(url)} says that it is encoded as {encoding} and is not",
            "Ask the owner of the source",
        ) from None


def _window(wire: bytes, encoding: str) -> int:
    if encoding != "deflate":
        return _GZIP
    # RFC 1950: method 8 in the low bits, and the first two bytes are a multiple of 31.
    is_zlib = len(wire) > 1 and wire[0] & 15 == 8 and int.from_bytes(wire[:2], "big") % 31 == 0
    return _ZLIB if is_zlib else _BARE


def _inflate(wire: bytes, window: int, url: str, max_bytes: int) -> bytes:
    inflater = zlib.decompressobj(window)
    body = inflater.decompress(wire, max_bytes + 1)
    if len(body) > max_bytes:
        raise too_large(url, max_bytes)
    if not inflater.eof or inflater.unused_data:
        raise zlib.error
    return body


def _read(session: SourceSession, answer: Answer, max_bytes: int) -> bytes:
    check_length(answer, 0, max_bytes)
    body = bytearray()
    while chunk := answer.read(READ_BYTES):
        session.bytes_in += len(chunk)
        body += chunk
        if len(body) > max_bytes:
            raise too_large(answer.url, max_bytes)
    return bytes(body)


def _check_digest(about: Source, wire: bytes) -> None:
    digest = f"sha256:{hashlib.sha256(wire).hexdigest()}"
    if about.claimed_digest not in (None, digest):
        raise DigestMismatchError(
            f"{about.url} has the digest {digest}, and says {about.claimed_digest}",
            "Fetch again; if it stays, ask the owner of the source",
        )
