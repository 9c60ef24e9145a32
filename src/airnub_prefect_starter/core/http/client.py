"""GETs for one source: redirects, credentials, limits, Retry-After. Bodies are read elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import requests
import urllib3
from pydantic import SecretStr

from airnub_prefect_starter.common.clock import Clock, utc_now
from airnub_prefect_starter.common.errors import (
    ConfigError,
    RedirectError,
)
from airnub_prefect_starter.core.http import headers as fields
from airnub_prefect_starter.core.http.address import check_host
from airnub_prefect_starter.core.http.answer import (
    OK,
    REDIRECTS,
    Answer,
    Headers,
    redirect_target,
    refuse_downgrade,
)
from airnub_prefect_starter.core.http.errors import request_error, status_error
from airnub_prefect_starter.core.http.limiter import HostLimiter, Sleep
from airnub_prefect_starter.core.http.pace import Pace
from airnub_prefect_starter.core.http.robots import RobotsCache
from airnub_prefect_starter.core.http.session import GuardedSession, SessionPool
from airnub_prefect_starter.core.http.urls import host_of, origin, split_url
from airnub_prefect_starter.core.redaction import redact_url
from airnub_prefect_starter.core.sources import HttpSource

WAITED_FOR = frozenset({429, 503})
MAX_WAITS = 3


class HttpClient:
    """What all requests of a process share: pooled sessions, limits per host, robots.txt.

    Args:
        sleep: Waits so many seconds.
        monotonic: The time in seconds, for durations.
        clock: The time of day, for Retry-After.
    """

    def __init__(
        self,
        *,
        sleep: Sleep = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Clock = utc_now,
    ) -> None:
        self.sleep = sleep
        self.monotonic = monotonic
        self.clock = clock
        self.sessions = SessionPool()
        self.limiter = HostLimiter(monotonic, sleep)
        self.robots = RobotsCache()

    @contextmanager
    def open(self, source: HttpSource, auth: SecretStr | None = None) -> Iterator[SourceSession]:
        """Begin to ask a source; its total time starts now.

        Raises:
            ConfigError: The secret is missing, or cannot be a header's value. No retry.
        """
        header = _auth_header(source, auth)
        with self.sessions.lease(source.access) as session:
            yield SourceSession(self, session, source, header)

    def close(self) -> None:
        """Close idle connections."""
        self.sessions.close()


class SourceSession:
    """All requests of one call for one source: one deadline, one count, one secret.

    ``admit`` is called with every address before it is asked, redirects included, and raises to
    refuse it; ``interval_s`` is the least time between two requests to a host.

    Args:
        client: What they share with others.
        session: Where they go out, used by nobody else meanwhile.
        source: What is asked.
        auth: Headers that only the source's own origin may see.
    """

    def __init__(
        self, client: HttpClient, session: GuardedSession, source: HttpSource, auth: Headers
    ) -> None:
        self.client = client
        self.source = source
        self.attempts = 0
        self.bytes_in = 0
        self.admit: Callable[[str], None] = lambda _url: None
        self.interval_s = 1 / (source.limits.requests_per_second or float("inf"))
        self._session = session
        self._auth = auth
        self._pace = Pace(source.limits, redact_url(source.url), client.monotonic)

    @contextmanager
    def get(
        self, url: str, headers: Headers | None = None, *, accept: frozenset[int] = OK
    ) -> Iterator[Answer]:
        """Ask for an address, follow its redirects, wait up to 3 times as Retry-After asks.

        Args:
            url: The address; credentials go with it if it has the source's origin.
            headers: Conditions and ranges.
            accept: Statuses that are not errors.

        Raises:
            BlockedUrlError: The address, or one that it leads to, is not allowed. No retry.
            RedirectError: Too many redirects, a loop, or one without a target. No retry.
            TooSlowError: Time is up. A retry may help.
            SourceUnavailableError: Refused, reset, 408, 425, 429 or 5xx. A retry may help.
            SourceRejectedError: Another status that is not accepted. No retry.
            PayloadError: The answer is not HTTP, or has no content. No retry.
        """
        refuse_downgrade(self.source.url, url)
        for waits in range(MAX_WAITS + 1):
            with self._follow(url, headers or {}) as answer:
                pause_s = self._pause_s(answer, accept) if waits < MAX_WAITS else None
                if pause_s is None:
                    if answer.status not in accept:
                        raise status_error(answer.status, redact_url(answer.url))
                    yield answer
                    return
            self.client.sleep(pause_s)

    def reconnect(self) -> None:
        """Give up idle connections, so that the next request makes a new one."""
        self._session.close()

    @contextmanager
    def _follow(self, url: str, headers: Headers) -> Iterator[Answer]:
        passed: list[str] = []
        at_home = True
        while True:
            self.admit(url)
            at_home = at_home and origin(url) == origin(self.source.url)
            sent = {**headers, **self._auth} if at_home else headers
            with self._exchange(url, sent) as answer:
                if answer.status not in REDIRECTS:
                    yield replace(answer, redirects=tuple(passed))
                    return
                target = redirect_target(answer)
            passed.append(url)
            self._check_passed(passed, target)
            url = target

    def _check_passed(self, passed: list[str], target: str) -> None:
        if target in passed:
            raise RedirectError(
                f"{redact_url(passed[0])} redirects in a circle", "Ask the owner of the source"
            )
        if len(passed) > self.source.limits.max_redirects:
            raise RedirectError(
                f"{redact_url(passed[0])} redirects more than {len(passed) - 1} times",
                "Name the final address, or raise `limits.max_redirects` of the source",
            )

    @contextmanager
    def _exchange(self, url: str, headers: Headers) -> Iterator[Answer]:
        host = host_of(split_url(url))
        check_host(host, self.source.access)
        with self._slot(host):
            response = self._send(url, headers)
            try:
                yield Answer(response.status_code, response.headers, url, response.raw)
            finally:
                if response.status_code == 304:
                    response.raw.drain_conn()  # it has no body; so the connection can be used again
                response.close()

    def _slot(self, host: str) -> AbstractContextManager[None]:
        return self.client.limiter.slot(
            host,
            at_once=self.source.limits.max_requests_per_host,
            interval_s=self.interval_s,
            patience_s=self._pace.remaining_s(),
        )

    def _send(self, url: str, headers: Headers) -> requests.Response:
        limits = self.source.limits
        self.attempts += 1
        self._pace.begin()
        self._session.gate.pace = self._pace
        try:
            request = self._session.prepare_request(requests.Request("GET", url, headers=headers))
            return self._session.send(
                request, stream=True, timeout=(limits.connect_timeout_s, limits.idle_timeout_s)
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            failure = request_error(error, redact_url(url))
        raise failure

    def _pause_s(self, answer: Answer, accept: frozenset[int]) -> float | None:
        if answer.status not in WAITED_FOR or answer.status in accept:
            return None
        pause_s = fields.retry_after_s(answer.headers, self.client.clock())
        longest_s = min(self.source.limits.max_retry_after_s, self._pace.remaining_s())
        return pause_s if pause_s is not None and pause_s <= longest_s else None


def _auth_header(source: HttpSource, secret: SecretStr | None) -> Headers:
    if source.auth is None:
        return {}
    if secret is None:
        raise ConfigError(
            f"Source {source.source_id} needs the secret {source.auth.secret}", "Set it"
        )
    value = secret.get_secret_value()
    if not (value.isascii() and value.isprintable() and value == value.strip() and value):
        raise ConfigError(
            f"The secret {source.auth.secret} is empty or holds what a header cannot",
            "Set it to printable ASCII without spaces around it",
        )
    return {source.auth.header: f"{source.auth.prefix}{value}"}
