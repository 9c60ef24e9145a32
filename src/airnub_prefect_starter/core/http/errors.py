"""From what the HTTP library raises to this project's errors, without what it says of the request.

The texts of `requests` and urllib3 repeat addresses with their tokens, and their objects carry the
request's headers. So they are neither quoted nor chained; what is kept is the reason at the bottom.
"""

from __future__ import annotations

import http.client
import socket
import ssl

from requests.exceptions import InvalidHeader, InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import LocationParseError

from airnub_prefect_starter.common.errors import (
    BlockedUrlError,
    PayloadError,
    SourceError,
    SourceRejectedError,
    SourceUnavailableError,
)

RETRIED_STATUS = frozenset({408, 425, 429})
_REMEDIES = {
    401: "Check the secret that the source names under `auth`",
    403: "Check the source's `auth`, and whether its owner lets programs read it",
    404: "Check the address; the source may have moved",
    410: "The source is gone for good: remove it from the configuration",
}


def request_error(error: Exception, shown: str) -> SourceError:
    """Translate what came instead of an answer."""
    if isinstance(error, InvalidURL | InvalidSchema | MissingSchema | LocationParseError):
        return BlockedUrlError(f"{shown} is not an address that can be asked", "Correct it")
    causes = _causes(error)
    certificate = next((e for e in causes if isinstance(e, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return BlockedUrlError(
            f"{shown} shows a certificate that is not trusted: {certificate.verify_message}",
            "Correct the address, or name the authority's file in SSL_CERT_FILE",
        )
    if isinstance(error, InvalidHeader) or any(_is_not_http(each) for each in causes):
        return PayloadError(f"{shown} did not answer with valid HTTP", "Check the address and port")
    return SourceUnavailableError(
        f"{shown} cannot be reached: {_reason(causes)}", "Try again later, or check the address"
    )


def status_error(status: int, shown: str) -> SourceError:
    """Make the error for a status that is not a success."""
    if status in RETRIED_STATUS or 500 <= status < 600:
        return SourceUnavailableError(f"{shown} answered {status}", "Try again later")
    if status in (204, 205):
        return PayloadError(f"{shown} answered {status}, no content", "Check the address")
    if status == 206:
        return PayloadError(f"{shown} sent a part that was not asked for", "Check the address")
    remedy = _REMEDIES.get(status, "Check the address and what the source expects")
    return SourceRejectedError(f"{shown} answered {status}", remedy)


def _causes(error: BaseException) -> list[BaseException]:
    """List an error and what led to it; urllib3 keeps some of that as arguments."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    return found


def _is_not_http(error: BaseException) -> bool:
    if isinstance(error, http.client.IncompleteRead | http.client.RemoteDisconnected):
        return False
    return isinstance(error, http.client.HTTPException)


def _reason(causes: list[BaseException]) -> str:
    for error in causes:
        if isinstance(error, socket.gaierror):
            return "its name does not resolve"
        if isinstance(error, http.client.RemoteDisconnected):
            return "it closed the connection without an answer"
    for error in causes:
        if isinstance(error, TimeoutError):
            return "it did not accept a connection in time"
        if isinstance(error, OSError) and error.strerror and error.errno is not None:
            return error.strerror.lower()
    return type(causes[-1]).__name__
