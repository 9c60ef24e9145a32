"""What is served: each path and how its bytes are made from the tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from airnub_prefect_starter.common.addresses import TELCO_SAMPLE
from airnub_prefect_starter.core.churn.synthetic import customers_csv
from airnub_prefect_starter.demo import pages, paging
from airnub_prefect_starter.demo.articles import articles_csv
from airnub_prefect_starter.demo.data import (
    MONTHS,
    ORIGINS,
    SMALL_TABLES,
    DailyCount,
    Once,
    Row,
    SampleTables,
)
from airnub_prefect_starter.demo.messages import (
    CSV,
    HTML,
    JSON,
    TEXT,
    Representation,
    json_bytes,
)

FILES = "/files/"
PUBLISHED = datetime(2014, 1, 1, tzinfo=UTC)
ROBOTS = "User-agent: *\nDisallow: /pages/private/\nCrawl-delay: 0.1\n"
_DAILY = re.compile(rf"{FILES}flights/daily/(\d{{4}})-(\d\d)-(\d\d)\.csv", re.ASCII)
_LAST_YEAR = 2100
_POST_COUNT = 100
_USERS = 10

Endpoint = tuple[Once[paging.Collection], paging.Paging]


class Catalog:
    """Every path of the server and the representation behind it, built when first asked for."""

    def __init__(self, tables: SampleTables) -> None:
        self._tables = tables
        self._fixed: dict[str, Once[Representation]] = {**self._files(), **self._pages()}
        self._endpoints = self._apis()

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path, in the order of the front page."""
        return (*self._fixed, *self._endpoints)

    def find(self, path: str, query: Mapping[str, str]) -> Representation | None:
        """Return what stands at a path, or None.

        Raises:
            HttpError: 400, a query parameter of an API is wrong.
        """
        if path in self._fixed:
            return self._fixed[path]()
        if day := _day_of(path):
            return self._flights_of(day)
        if path not in self._endpoints:
            return None
        once, give = self._endpoints[path]
        collection = once()
        page = give(collection.items, query)
        body = json_bytes(page.value)
        return Representation(body, JSON, PUBLISHED, collection.version, page.headers)

    def _files(self) -> dict[str, Once[Representation]]:
        found = {f"{FILES}flights/2013-{month:02}.csv": self._flights(month) for month in MONTHS}
        found |= {f"{FILES}{table}.csv": self._table(table) for table in SMALL_TABLES}
        found[f"{FILES}articles.csv"] = Once(
            lambda: _file(articles_csv(), "articles.csv", PUBLISHED)
        )
        found[TELCO_SAMPLE] = Once(
            lambda: _file(customers_csv(), TELCO_SAMPLE.removeprefix(FILES), PUBLISHED)
        )
        sums = partial(_checksums, dict(found))
        return {**found, f"{FILES}SHA256SUMS": Once(sums)}

    def _flights(self, month: int) -> Once[Representation]:
        # A month's file was last changed when the month was over.
        over = datetime(2013, month + 1, 1, tzinfo=UTC) if month < 12 else PUBLISHED
        name = f"flights_2013-{month:02}.csv"
        return Once(lambda: _file(self._tables.flights_csv(month), name, over))

    def _flights_of(self, day: date) -> Representation:
        # A day's file was last changed when the day was over.
        over = datetime.combine(day + timedelta(days=1), time(), UTC)
        return _file(self._tables.day_csv(day), f"flights_{day}.csv", over)

    def _table(self, table: str) -> Once[Representation]:
        return Once(lambda: _file(self._tables.csv_bytes(table), f"{table}.csv", PUBLISHED))

    def _pages(self) -> dict[str, Once[Representation]]:
        tables = self._tables
        airports = {
            f"/pages/airports/{code}.html": _page(_airport(tables, code)) for code in ORIGINS
        }
        return {
            "/pages/index.html": _page(pages.start_page),
            "/pages/airlines.html": _page(
                lambda: pages.airlines_page(tables.rows("airlines"), tables.daily_counts())
            ),
            **airports,
            "/pages/notes.html": Once(_notes),
            "/pages/private/delays.html": _page(pages.private_page),
            "/robots.txt": Once(lambda: Representation(ROBOTS.encode(), TEXT, PUBLISHED)),
        }

    def _apis(self) -> dict[str, Endpoint]:
        rows, counts = self._tables.rows, self._tables.daily_counts
        return {
            "/api/airlines": (_collect(lambda: rows("airlines")), paging.everything),
            "/api/airports": (_collect(lambda: rows("airports")), paging.by_page),
            "/api/planes": (_collect(lambda: rows("planes")), paging.by_offset),
            "/api/weather": (_collect(lambda: rows("weather")), paging.by_cursor),
            "/api/flights/daily": (_collect(lambda: _daily(counts())), paging.by_link),
            "/api/posts": (_collect(lambda: _posts(rows("airports"))), paging.bare_list),
            "/private/api/delays": (_collect(lambda: _delays(counts())), paging.everything),
        }


def _day_of(path: str) -> date | None:
    found = _DAILY.fullmatch(path)
    if found is None or int(found[1]) > _LAST_YEAR:
        return None
    try:
        return date(*map(int, found.groups()))
    except ValueError:
        return None  # 30 February stands nowhere


def _collect(rows: Callable[[], list[Row]]) -> Once[paging.Collection]:
    return Once(lambda: paging.Collection(rows()))


def _file(body: bytes, name: str, modified: datetime, media_type: str = CSV) -> Representation:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Representation(body, media_type, modified, headers=headers, is_file=True)


def _checksums(files: Mapping[str, Once[Representation]]) -> Representation:
    lines = [f"{once().sha256.hex()}  {path.removeprefix(FILES)}\n" for path, once in files.items()]
    return _file("".join(lines).encode(), "SHA256SUMS", PUBLISHED, TEXT)


def _page(render: Callable[[], str]) -> Once[Representation]:
    return Once(lambda: Representation(render().encode(), HTML, PUBLISHED))


def _airport(tables: SampleTables, code: str) -> Callable[[], str]:
    return lambda: pages.airport_page(code, tables.daily_counts())


def _notes() -> Representation:
    return Representation(pages.notes_page().encode("iso-8859-1"), "text/html", PUBLISHED)


def _daily(counts: list[DailyCount]) -> list[Row]:
    return [asdict(count) for count in counts]


def _delays(counts: list[DailyCount]) -> list[Row]:
    groups: dict[tuple[str, int], list[DailyCount]] = {}
    for count in counts:
        groups.setdefault((count.carrier, int(count.date[5:7])), []).append(count)
    return [_delay(*key, groups[key]) for key in sorted(groups)]


def _delay(carrier: str, month: int, counts: list[DailyCount]) -> Row:
    flights = sum(each.flights for each in counts)
    cancelled = sum(each.cancelled for each in counts)
    minutes = sum(each.dep_delay_min for each in counts)
    mean = round(minutes / max(flights - cancelled, 1), 2)
    return {
        "carrier": carrier,
        "month": month,
        "flights": flights,
        "cancelled": cancelled,
        "mean_dep_delay_min": mean,
    }


def _posts(airports: list[Row]) -> list[Row]:
    """Make posts of the shape that public placeholder APIs have."""
    return [
        {
            "userId": index * _USERS // _POST_COUNT + 1,
            "id": index + 1,
            "title": f"Notes from {airport['name']}",
            "body": f"{airport['faa']} lies at {airport['alt']} feet.\nZone: {airport['tzone']}",
        }
        for index, airport in enumerate(airports[:_POST_COUNT])
    ]
