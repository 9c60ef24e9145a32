from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from airnub_prefect_starter.demo import paging
from airnub_prefect_starter.demo.data import Row
from airnub_prefect_starter.demo.messages import HttpError, json_bytes

ITEMS: list[Row] = [{"id": number, "origin": "EWR" if number < 3 else "JFK"} for number in range(7)]


def test_page_numbers_give_every_airport_once(url: str, session: requests.Session) -> None:
    first = session.get(f"{url}/api/airports?per_page=400").json()
    assert first["pages"] == 4
    found = [
        row["faa"]
        for page in range(1, first["pages"] + 1)
        for row in session.get(f"{url}/api/airports?per_page=400&page={page}").json()["items"]
    ]
    assert len(set(found)) == len(found) == first["total"] == 1458


def test_offsets_give_every_plane_once(url: str, session: requests.Session) -> None:
    found: list[str] = []
    while True:
        page = session.get(f"{url}/api/planes?offset={len(found)}").json()
        if not page["items"]:
            break
        found += [row["tailnum"] for row in page["items"]]
    assert len(set(found)) == len(found) == page["total"] == 3322


@pytest.mark.parametrize(
    ("origin", "total"), [("EWR", 8703), ("JFK", 8706), ("LGA", 8706), (None, 26115)]
)
def test_cursors_give_every_hour_of_weather_once(
    origin: str | None, total: int, url: str, session: requests.Session
) -> None:
    found: list[tuple[str, str]] = []
    query = {"origin": origin} if origin else {}
    cursor: str | None = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        page = session.get(f"{url}/api/weather", params={**query, **more}).json()
        found += [(row["origin"], row["time_hour"]) for row in page["items"]]
        cursor = page["next_cursor"]
    assert len(set(found)) == len(found) == page["total"] == total


def test_links_give_every_daily_count_once(url: str, session: requests.Session) -> None:
    found: list[tuple[str, str, str]] = []
    flights = 0
    target: str | None = f"{url}/api/flights/daily"
    while target:
        response = session.get(target)
        rows: list[dict[str, Any]] = response.json()
        found += [(row["date"], row["origin"], row["carrier"]) for row in rows]
        flights += sum(row["flights"] for row in rows)
        following = response.links.get("next")
        target = urljoin(target, following["url"]) if following else None
    assert len(set(found)) == len(found) == int(response.headers["X-Total-Count"]) == 11864
    assert flights == 336_776


def test_unpaged_collections(url: str, session: requests.Session) -> None:
    airlines = session.get(f"{url}/api/airlines").json()
    assert airlines["total"] == len(airlines["items"]) == 16
    posts = session.get(f"{url}/api/posts").json()
    assert [post["id"] for post in posts] == list(range(1, 101))
    assert {tuple(sorted(post)) for post in posts} == {("body", "id", "title", "userId")}
    assert {post["userId"] for post in posts} == set(range(1, 11))


def test_missing_values_are_null_and_numbers_are_numbers(
    url: str, session: requests.Session
) -> None:
    plane = session.get(f"{url}/api/planes?limit=1").json()["items"][0]
    assert plane["speed"] is None
    assert plane["year"] == 2004
    weather = session.get(f"{url}/api/weather?limit=1").json()["items"][0]
    assert weather["temp"] == 39.02
    assert weather["wind_gust"] is None


def test_json_is_canonical(url: str, session: requests.Session) -> None:
    response = session.get(f"{url}/api/airports?page=2")
    assert response.content == json_bytes(response.json())


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("airports?page=0", id="zero"),
        pytest.param("airports?page=-1", id="negative"),
        pytest.param("airports?page=x", id="word"),
        pytest.param("airports?page=", id="empty"),
        pytest.param("airports?page=%D9%A3", id="other digits"),
        pytest.param(f"airports?page={'9' * 400}", id="endless digits"),
        pytest.param("airports?per_page=501", id="too many"),
        pytest.param("planes?offset=-1", id="negative offset"),
        pytest.param("planes?limit=0", id="no items"),
        pytest.param("planes?limit=1001", id="too high limit"),
        pytest.param("weather?limit=0", id="no hours"),
        pytest.param("weather?cursor=", id="empty cursor"),
        pytest.param("weather?cursor=!!", id="no base64"),
        pytest.param("weather?cursor=YWZ0ZXI6MQ%3D%3D", id="padded cursor"),
        pytest.param("weather?cursor=b3RoZXI6MQ", id="other word"),
        pytest.param("weather?cursor=YWZ0ZXI6LTE", id="negative cursor"),
        pytest.param("weather?cursor=%C3%A9", id="not ascii"),
        pytest.param("flights/daily?page=0", id="link zero"),
        pytest.param("flights/daily?per_page=99999", id="link too many"),
    ],
)
def test_wrong_parameters_are_refused(query: str, url: str, session: requests.Session) -> None:
    response = session.get(f"{url}/api/{query}")
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == 400


@pytest.mark.parametrize(
    ("paging_style", "query"),
    [
        pytest.param(paging.by_page, {"page": "99"}, id="page"),
        pytest.param(paging.by_offset, {"offset": "99"}, id="offset"),
    ],
)
def test_past_the_end_there_is_an_empty_page(
    paging_style: paging.Paging, query: dict[str, str]
) -> None:
    value = paging_style(ITEMS, query).value
    assert isinstance(value, dict)
    assert (value["items"], value["total"]) == ([], 7)


def test_link_relations_of_first_middle_and_last_page() -> None:
    def relations(page: int) -> str:
        return paging.by_link(ITEMS, {"page": str(page), "per_page": "3"}).headers["Link"]

    assert 'rel="prev"' not in relations(1)
    assert '<?page=3&per_page=3>; rel="next"' in relations(2)
    assert '<?page=1&per_page=3>; rel="prev"' in relations(2)
    assert 'rel="next"' not in relations(3)


def test_cursor_of_one_origin_counts_its_items() -> None:
    first = paging.by_cursor(ITEMS, {"origin": "JFK", "limit": "3"}).value
    assert isinstance(first, dict)
    rest = paging.by_cursor(
        ITEMS, {"origin": "JFK", "limit": "3", "cursor": str(first["next_cursor"])}
    ).value
    assert isinstance(rest, dict)
    assert [row["id"] for row in [*first["items"], *rest["items"]]] == [3, 4, 5, 6]
    assert rest["next_cursor"] is None


def test_wrong_parameter_is_named() -> None:
    with pytest.raises(HttpError) as refused:
        paging.by_page(ITEMS, {"per_page": "many"})
    assert refused.value.detail == "per_page must be a whole number from 1 to 500"
