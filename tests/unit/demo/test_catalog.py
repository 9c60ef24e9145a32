from __future__ import annotations

import hashlib
import re
from urllib.parse import urljoin
from urllib.robotparser import RobotFileParser

import requests

from airnub_prefect_starter.common.addresses import TELCO_SAMPLE
from airnub_prefect_starter.core.churn.synthetic import customers_csv
from airnub_prefect_starter.demo import SiteOptions, SourceServer


def every_path(base: str, session: requests.Session) -> list[str]:
    front = session.get(f"{base}/").text
    found = re.findall(r'href="([^"]+)"', front)
    return [f"/{each}" for each in found if not each.startswith("flaky/")]


def fetch(
    base: str, session: requests.Session, path: str, bearer: dict[str, str]
) -> tuple[int, bytes, dict[str, str]]:
    response = session.get(base + path, headers=bearer)
    headers = {name: value for name, value in response.headers.items() if name != "Date"}
    return response.status_code, response.content, headers


def test_two_servers_on_two_ports_give_the_same_bytes_and_headers(
    server: SourceServer, session: requests.Session, bearer: dict[str, str]
) -> None:
    token = bearer["Authorization"].removeprefix("Bearer ")
    with SourceServer(options=SiteOptions(token=token, drip_s=0)) as other:
        assert other.port != server.port
        paths = [*every_path(server.url, session), "/"]
        assert len(paths) > 30
        for path in paths:
            first = fetch(server.url, session, path, bearer)
            assert first[0] == 200, path
            assert first == fetch(other.url, session, path, bearer), path
            assert b"127.0.0.1" not in first[1]
            assert b"localhost" not in first[1]
            assert b"http://" not in first[1]


def test_files_have_the_sums_that_the_server_publishes(url: str, session: requests.Session) -> None:
    lines = session.get(f"{url}/files/SHA256SUMS").text.splitlines()
    assert len(lines) == 18
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256(session.get(f"{url}/files/{name}").content).hexdigest() == digest


def test_the_churn_table_is_the_made_up_one(url: str, session: requests.Session) -> None:
    response = session.get(f"{url}{TELCO_SAMPLE}")

    assert response.headers["Content-Type"].startswith("text/csv")
    assert response.content == customers_csv()


def test_monthly_files_hold_every_flight_once(url: str, session: requests.Session) -> None:
    months = [session.get(f"{url}/files/flights/2013-{m:02}.csv").content for m in range(1, 13)]
    headers = {body.split(b"\n", 1)[0] for body in months}
    assert len(headers) == 1
    assert sum(body.count(b"\n") - 1 for body in months) == 336_776
    assert [body.split(b"\n", 2)[1].split(b",")[1] for body in months] == [
        str(month).encode() for month in range(1, 13)
    ]


def test_daily_files_hold_every_flight_of_a_month(url: str, session: requests.Session) -> None:
    month = session.get(f"{url}/files/flights/2013-12.csv").content.splitlines()
    days = [
        session.get(f"{url}/files/flights/daily/2013-12-{day:02}.csv").content.splitlines()
        for day in range(1, 32)
    ]
    assert [each for day in days for each in day[1:]] == month[1:]
    assert {day[0] for day in days} == {month[0]}


def test_a_daily_file_is_that_of_2013_with_another_year(
    url: str, session: requests.Session
) -> None:
    found = session.get(f"{url}/files/flights/daily/2026-12-31.csv")
    rows = [line.split(",") for line in found.text.splitlines()[1:]]
    assert len(rows) == 776
    assert {tuple(row[:3]) for row in rows} == {("2026", "12", "31")}
    # In UTC the last evening is in the next year.
    assert {row[-1][:10] for row in rows} == {"2026-12-31", "2027-01-01"}
    assert found.headers["Last-Modified"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    tag = {"If-None-Match": found.headers["ETag"]}
    assert session.get(found.url, headers=tag).status_code == 304


def test_a_29th_of_february_has_the_flights_of_the_28th(
    url: str, session: requests.Session
) -> None:
    leap, day_before = (
        session.get(f"{url}/files/flights/daily/2024-02-{day}.csv").content for day in (29, 28)
    )
    assert leap == day_before


def test_a_daily_file_of_no_day_is_not_found(url: str, session: requests.Session) -> None:
    for name in ("2013-02-30", "2013-1-01", "20130101", "2101-01-01", "0000-01-01", "x", "{date}"):
        found = session.get(f"{url}/files/flights/daily/{name}.csv")
        assert found.status_code == 404, name


def test_pages_of_a_collection_share_their_entity_tag(url: str, session: requests.Session) -> None:
    tags = {session.head(f"{url}/api/airports?page={page}").headers["ETag"] for page in (1, 2, 3)}
    assert len(tags) == 1


def test_robots_and_the_pages_it_covers(url: str, session: requests.Session) -> None:
    rules = RobotFileParser()
    rules.parse(session.get(f"{url}/robots.txt").text.splitlines())
    start = f"{url}/pages/index.html"
    links = {
        urljoin(start, each) for each in re.findall(r'href="([^"]+)"', session.get(start).text)
    }
    assert {session.get(link).status_code for link in links} == {200}
    refused = {link for link in links if not rules.can_fetch("any", link)}
    assert refused == {f"{url}/pages/private/delays.html"}


def test_pages_say_their_charset(url: str, session: requests.Session) -> None:
    airlines = session.get(f"{url}/pages/airlines.html")
    assert airlines.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Données" in airlines.content.decode()
    assert "336776" in airlines.text
    notes = session.get(f"{url}/pages/notes.html")
    assert notes.headers["Content-Type"] == "text/html"
    assert '<meta charset="iso-8859-1">' in notes.content.decode("iso-8859-1")
    assert "météo" in notes.content.decode("iso-8859-1")


def test_airport_pages_add_up(url: str, session: requests.Session) -> None:
    total = 0
    for code in ("EWR", "JFK", "LGA"):
        page = session.get(f"{url}/pages/airports/{code}.html").text
        rows = re.findall(r"<tr><td>\w+</td><td>(\d+)</td><td>\d+</td></tr>", page)
        assert len(rows) == 12
        total += sum(int(each) for each in rows)
    assert total == 336_776
