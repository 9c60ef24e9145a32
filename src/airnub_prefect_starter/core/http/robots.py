"""What robots.txt allows, asked once a day. Source: RFC 9309."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin

from airnub_prefect_starter.common.errors import SourceRejectedError
from airnub_prefect_starter.core.http.answer import OK
from airnub_prefect_starter.core.http.robots_text import Rules, parse_robots
from airnub_prefect_starter.core.http.session import AGENT
from airnub_prefect_starter.core.http.urls import origin
from airnub_prefect_starter.core.redaction import redact_url
from airnub_prefect_starter.core.sources import HttpSource

if TYPE_CHECKING:  # the client holds the cache, and the cache asks through the client
    from airnub_prefect_starter.core.http.client import HttpClient

# RFC 9309, 2.5: at least 500 KiB must be parsed; the rest may be ignored.
MAX_ROBOTS_BYTES = 512 << 10
KEPT_S = 24 * 3600

_ABSENT = frozenset(range(400, 500)) - {408, 425, 429}


class _Known(NamedTuple):
    rules: Rules
    read_at: float


class RobotsCache:
    """The rules of every origin that was asked, for a day (RFC 9309, 2.4)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str, int], _Known] = {}

    def require_allowed(self, client: HttpClient, source: HttpSource, url: str) -> Rules:
        """Return the rules that an address is under.

        Args:
            client: What robots.txt is asked with.
            source: The page whose address it is, or that is redirected there.
            url: The address.

        Raises:
            SourceRejectedError: They forbid it. No retry.
            SourceUnavailableError: The server fails to say: then all is forbidden for now (RFC
                9309, 2.3.1.4). A retry may help.
            SourceError: As for `SourceSession.get`.
        """
        rules = self._rules(client, source, url)
        if not rules.allow(url):
            raise SourceRejectedError(
                f"robots.txt forbids {redact_url(url)} to {AGENT}",
                "Remove the page from the configuration, or ask the owner of the site",
            )
        return rules

    def _rules(self, client: HttpClient, source: HttpSource, url: str) -> Rules:
        now, where = client.monotonic(), origin(url)
        with self._lock:
            known = self._known.get(where)
        if known is None or now - known.read_at > KEPT_S:
            known = _Known(parse_robots(_read(client, source, url), AGENT), now)
            with self._lock:
                self._known[where] = known
        return known.rules


def _read(client: HttpClient, source: HttpSource, url: str) -> str:
    # A source of its own: no credentials, and its requests do not count as the page's.
    robots = HttpSource(
        source_id="robots.txt",
        url=urljoin(url, "/robots.txt"),
        access=source.access,
        limits=source.limits,
    )
    with client.open(robots) as session, session.get(robots.url, accept=OK | _ABSENT) as answer:
        # Without the file everything is allowed (RFC 9309, 2.3.1.3).
        body = answer.read_up_to(MAX_ROBOTS_BYTES) if answer.status in OK else b""
    return body.decode("utf-8-sig", errors="replace")
