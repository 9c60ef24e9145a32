"""Prefect's API as plain HTTP: for what should not wait until Prefect is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import requests

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.environment import HOST

_TIMEOUT_S = 10
_DENIED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True)
class Api:
    """The API that an environment points at.

    Args:
        environment: ``PREFECT_API_URL`` and the credentials, under the names that Prefect reads.
    """

    environment: Mapping[str, str]

    @property
    def url(self) -> str:
        """Its address, up to ``/api``."""
        return self.environment["PREFECT_API_URL"].rstrip("/")

    def get(self, path: str) -> requests.Response:
        """Send a GET.

        Raises:
            PlatformError: It does not answer, or refuses.
        """
        return self._send("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send a POST and return the JSON of its answer.

        Raises:
            PlatformError: It does not answer, or refuses.
        """
        answer = self._send("POST", path, body)
        try:
            return answer.json()
        except requests.JSONDecodeError as exc:
            raise _unanswered(self.url, exc) from exc

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> requests.Response:
        with requests.Session() as session:
            # Nor a .netrc or a proxy for a port of this machine.
            session.trust_env = not self.url.startswith(f"http://{HOST}:")
            try:
                self._authorize(session)
                if method == "POST":
                    _bring_token(session, self.url)
                answer = session.request(method, f"{self.url}{path}", json=body, timeout=_TIMEOUT_S)
                answer.raise_for_status()
            except requests.RequestException as exc:
                raise _unanswered(self.url, exc) from exc
        return answer

    def _authorize(self, session: requests.Session) -> None:
        if auth := self.environment.get("PREFECT_API_AUTH_STRING"):
            user, _, password = auth.partition(":")
            session.auth = (user, password)
        elif key := self.environment.get("PREFECT_API_KEY"):
            session.headers["Authorization"] = f"Bearer {key}"


def _bring_token(session: requests.Session, url: str) -> None:
    """Get a CSRF token, as Prefect's own client does before its first POST."""
    client = str(uuid4())
    answer = session.get(f"{url}/csrf-token", params={"client": client}, timeout=_TIMEOUT_S)
    # Either is how a server says that it wants none.
    if answer.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY):
        return
    answer.raise_for_status()
    session.headers["Prefect-Csrf-Token"] = answer.json()["token"]
    session.headers["Prefect-Csrf-Client"] = client


def _unanswered(url: str, error: requests.RequestException) -> PlatformError:
    if error.response is not None and error.response.status_code in _DENIED:
        return PlatformError(
            f"{url} refuses these credentials ({error.response.status_code})",
            "Correct PREFECT_API_AUTH_STRING or PREFECT_API_KEY",
        )
    return PlatformError(f"{url} does not answer as an API: {error}", "See the server's log")
