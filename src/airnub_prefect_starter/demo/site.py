"""The site: which answer a request gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus

from airnub_prefect_starter.common.errors import StarterError
from airnub_prefect_starter.demo import pages
from airnub_prefect_starter.demo.behaviour import FlakyEpisodes, Outages, require_bearer
from airnub_prefect_starter.demo.catalog import FILES, PUBLISHED, Catalog
from airnub_prefect_starter.demo.messages import (
    HTML,
    TEXT,
    HttpError,
    Representation,
    Request,
    Response,
)

FLAKY = "/flaky"
SLOW = "/slow"
PRIVATE_API = "/private/api/"
_SHOWN = (
    f"{FILES}flights/daily/2013-01-01.csv",
    f"{FLAKY}{FILES}airports.csv",
    f"{SLOW}{FILES}planes.csv",
)


@dataclass(frozen=True)
class SiteOptions:
    """How the site differs from a plain one.

    Args:
        token: Bearer token of the private API; without one the API answers 401 to everybody.
        broken: Path prefixes that are down from the start.
        enable_control: Whether ``/control/`` exists, for clients on loopback.
        drip_s: How long a slow body takes, in seconds.
    """

    token: str | None = None
    broken: tuple[str, ...] = ()
    enable_control: bool = False
    drip_s: float = 2.0


class Site:
    """Turns requests into answers; safe to use from many threads."""

    def __init__(self, catalog: Catalog, options: SiteOptions) -> None:
        self._catalog = catalog
        self._options = options
        self._flaky = FlakyEpisodes()
        self.outages = Outages(options.broken)

    def answer(self, request: Request) -> Response:
        """Answer a request; what is wrong with it, or with the tables, becomes an error status."""
        try:
            if request.path.startswith("/control/"):
                return self._control(request)
            return self._read(request)
        except HttpError as error:
            return error.response()
        except StarterError as error:
            return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)).response()

    def _read(self, request: Request) -> Response:
        path = request.path
        if request.method == "POST":
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "Read only", {"Allow": "GET, HEAD"})
        if path == "/health":
            return Response(HTTPStatus.OK, {"Content-Type": TEXT}, b"ok\n")
        self.outages.check(path)
        if path.startswith(PRIVATE_API):
            require_bearer(request, self._options.token)
        if path.startswith(f"{FLAKY}{FILES}"):
            sound = self._find(request, path.removeprefix(FLAKY)).answer(request)
            return self._flaky.disturb(request, sound)
        if path.startswith(f"{SLOW}{FILES}"):
            sound = self._find(request, path.removeprefix(SLOW)).answer(request)
            return replace(sound, drip=True)
        return self._find(request, path).answer(request)

    def _find(self, request: Request, path: str) -> Representation:
        if path == "/":
            body = pages.listing((*self._catalog.paths, *_SHOWN, "/health"))
            return Representation(body.encode(), HTML, PUBLISHED)
        found = self._catalog.find(path, request.query)
        if found is None:
            raise HttpError(HTTPStatus.NOT_FOUND, "Nothing stands here; / lists everything")
        return found

    def _control(self, request: Request) -> Response:
        if not (self._options.enable_control and request.from_loopback):
            raise HttpError(HTTPStatus.NOT_FOUND, "Nothing stands here; / lists everything")
        if request.method != "POST":
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "Use POST", {"Allow": "POST"})
        path = request.query.get("path")
        if request.path == "/control/heal":
            self.outages.end(path)
        elif request.path == "/control/break" and path:
            self.outages.add(path)
        else:
            raise HttpError(HTTPStatus.BAD_REQUEST, "Use /control/break?path=... or /control/heal")
        return Response(HTTPStatus.NO_CONTENT)
