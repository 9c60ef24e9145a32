"""What makes a source difficult: faults that recover, sources that are taken down, auth."""

from __future__ import annotations

import hmac
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from http import HTTPStatus
from itertools import cycle

from airnub_prefect_starter.demo.messages import HttpError, Request, Response

_EPISODE = ("unavailable", "cut", "sound")


class FlakyEpisodes:
    """Per path: one 503, one answer cut at half, one sound answer, and again from the start.

    A 304 is no part of an episode, so a client that has the bytes sees no fault.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: defaultdict[str, Iterator[str]] = defaultdict(lambda: cycle(_EPISODE))

    def disturb(self, request: Request, sound: Response) -> Response:
        """Return the answer to give instead of the sound one.

        Raises:
            HttpError: 503 with Retry-After, the first step of an episode.
        """
        if request.method != "GET" or sound.status is HTTPStatus.NOT_MODIFIED:
            return sound
        with self._lock:
            step = next(self._steps[request.path])
        if step == "unavailable":
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "Busy: try again", {"Retry-After": "1"})
        return replace(sound, cut_after=len(sound.body) // 2) if step == "cut" else sound


class Outages:
    """The path prefixes that are down at the moment."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._prefixes = set(prefixes)

    def add(self, prefix: str) -> None:
        """Take everything below a path prefix down."""
        with self._lock:
            self._prefixes.add(prefix)

    def end(self, prefix: str | None = None) -> None:
        """End one outage, or all of them."""
        with self._lock:
            self._prefixes -= {prefix} if prefix else set(self._prefixes)

    def check(self, path: str) -> None:
        """Let a path that is up pass.

        Raises:
            HttpError: 503, the path is down.
        """
        with self._lock:
            is_down = any(path.startswith(prefix) for prefix in self._prefixes)
        if is_down:
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "This source is down")


def require_bearer(request: Request, token: str | None) -> None:
    """Let a request with the right bearer token pass; without a configured token none does.

    Raises:
        HttpError: 401. Source: RFC 6750 section 3 (challenge and its error code).
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    challenge = 'Bearer realm="sources"'
    if scheme.lower() == "bearer" and given:
        if token and hmac.compare_digest(given.strip().encode(), token.encode()):
            return
        challenge += ', error="invalid_token"'
    raise HttpError(
        HTTPStatus.UNAUTHORIZED, "A bearer token is needed", {"WWW-Authenticate": challenge}
    )
