"""What robots.txt allows. Source: RFC 9309, and the Crawl-delay that many sites add to it."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from urllib.robotparser import RobotFileParser

from airnub_prefect_starter.common.errors import SourceRejectedError
from airnub_prefect_starter.core.http.answer import OK
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
_DELAY = re.compile(
    r"^(\s*crawl-delay\s*:\s*)(\d{0,6}(?:\.\d{1,6})?)\s*(?:#.*)?$", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True)
class Robots:
    """The rules of one origin for our agent."""

    parser: RobotFileParser
    read_at: float

    def delay_s(self) -> float | None:
        """Return the pause between requests that is asked for, in seconds."""
        asked_ms = self.parser.crawl_delay(AGENT)
        return None if asked_ms is None else float(asked_ms) / 1000


class RobotsCache:
    """The rules of every origin that was asked, for a day (RFC 9309, 2.4)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str, int], Robots] = {}

    def require_allowed(self, client: HttpClient, source: HttpSource) -> Robots:
        """Return the rules that a source's page is under.

        Raises:
            SourceRejectedError: They forbid it. No retry.
            SourceUnavailableError: The server fails to say: then all is forbidden for now (RFC
                9309, 2.3.1.4). A retry may help.
            SourceError: As for `SourceSession.get`.
        """
        rules = self._rules(client, source)
        if not rules.parser.can_fetch(AGENT, source.url):
            raise SourceRejectedError(
                f"robots.txt forbids {redact_url(source.url)} to {AGENT}",
                "Remove the page from the configuration, or ask the owner of the site",
            )
        return rules

    def _rules(self, client: HttpClient, source: HttpSource) -> Robots:
        now, where = client.monotonic(), origin(source.url)
        with self._lock:
            known = self._known.get(where)
        if known is None or now - known.read_at > KEPT_S:
            known = Robots(_parse(_read(client, source)), now)
            with self._lock:
                self._known[where] = known
        return known


def _read(client: HttpClient, source: HttpSource) -> str:
    # A source of its own: no credentials, and its requests do not count as the page's.
    robots = HttpSource(
        source_id="robots.txt",
        url=urljoin(source.url, "/robots.txt"),
        access=source.access,
        limits=source.limits,
    )
    with client.open(robots) as session, session.get(robots.url, accept=OK | _ABSENT) as answer:
        # Without the file everything is allowed (RFC 9309, 2.3.1.3).
        body = answer.read_up_to(MAX_ROBOTS_BYTES) if answer.status in OK else b""
    return body.decode("utf-8-sig", errors="replace")


def _parse(text: str) -> RobotFileParser:
    parser = RobotFileParser()
    # The parser takes whole numbers only, and sites ask for half a second too: milliseconds.
    parser.parse(_DELAY.sub(_in_milliseconds, text).splitlines())
    return parser


def _in_milliseconds(found: re.Match[str]) -> str:
    return f"{found[1]}{round(float(found[2] or 0) * 1000)}"
