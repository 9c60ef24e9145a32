"""Pooled `requests` sessions that go only where they may and take nothing from the environment."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

from airnub_prefect_starter.core.http.connection import (
    Gate,
    GuardedHTTPPool,
    GuardedHTTPSPool,
    PacedTLSSocket,
)
from airnub_prefect_starter.core.http.policy import AccessPolicy
from airnub_prefect_starter.core.redaction import redact_query

AGENT = "airnub-prefect-starter"
USER_AGENT = f"{AGENT}/{version(AGENT)}"
MAX_IDLE_SESSIONS = 16


class GuardedAdapter(HTTPAdapter):
    """Makes connections that obey a gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools; `requests` calls it."""
        super().init_poolmanager(*args, ssl_context=_tls(), **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(GuardedHTTPPool, gate=self._gate),
            "https": partial(GuardedHTTPSPool, gate=self._gate),
        }

    def cert_verify(self, conn: Any, *_args: Any, **_options: Any) -> None:
        """Demand a certificate; the shared TLS context knows the authorities already."""
        conn.cert_reqs = "CERT_REQUIRED"


class GuardedSession(requests.Session):
    """A session for GETs: no redirects, cookies, proxies, netrc or compression of its own."""

    def __init__(self, policy: AccessPolicy) -> None:
        super().__init__()
        self.gate = Gate(policy)
        # A proxy would resolve names itself and so void the check; netrc would add credentials.
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
        for scheme in ("http://", "https://"):
            self.mount(scheme, GuardedAdapter(self.gate))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow nothing: even to peek, `requests` would read a redirect's body, however long."""


class SessionPool:
    """Sessions by policy, each lent to one caller at a time.

    `requests` does not promise that a session may be used by two threads at once. One for each
    thread would leave connections behind with every thread that ends; lent ones are reused.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[GuardedSession] = []

    @contextmanager
    def lease(self, policy: AccessPolicy) -> Iterator[GuardedSession]:
        """Lend a session for as long as the context lasts."""
        session = self._take(policy) or GuardedSession(policy)
        try:
            yield session
        finally:
            session.gate.pace = None
            self._give_back(session)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()

    def _take(self, policy: AccessPolicy) -> GuardedSession | None:
        with self._lock:
            for session in reversed(self._idle):
                if session.gate.policy == policy:
                    self._idle.remove(session)
                    return session
        return None

    def _give_back(self, session: GuardedSession) -> None:
        with self._lock:
            self._idle.append(session)
            surplus = self._idle.pop(0) if len(self._idle) > MAX_IDLE_SESSIONS else None
        if surplus is not None:
            surplus.close()


@cache
def _tls() -> ssl.SSLContext:
    # One context for all: loading the authorities takes longer than a handshake.
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    context.load_default_certs()  # those of the system too; SSL_CERT_FILE names a company's own
    context.sslsocket_class = PacedTLSSocket
    return context


class _RedactQueries(logging.Filter):
    """Keeps tokens out of the request lines that urllib3 logs at DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_redact_path, record.args))
        return True


def _redact_path(argument: object) -> object:
    if not isinstance(argument, str) or "?" not in argument:
        return argument
    path, _, query = argument.partition("?")
    return f"{path}?{redact_query(query)}"


logging.getLogger("urllib3.connectionpool").addFilter(_RedactQueries())
