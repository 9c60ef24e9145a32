from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from airnub_prefect_starter.demo.catalog import Catalog
from airnub_prefect_starter.demo.data import SampleTables
from airnub_prefect_starter.demo.messages import Request
from airnub_prefect_starter.demo.site import Site, SiteOptions


def request(path: str, method: str = "GET", *, from_loopback: bool = True) -> Request:
    return Request(method, path, {}, {}, from_loopback)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    for name in ("airlines", "airports", "planes", "weather"):
        (tmp_path / f"{name}.csv").write_text("carrier,name\nUA,United\n")
    with zipfile.ZipFile(tmp_path / "flights.csv.zip", "w") as archive:
        archive.writestr("other.csv", "")
    return Site(Catalog(SampleTables(tmp_path)), SiteOptions(enable_control=True))


def test_unreadable_table_is_an_error_of_the_server_and_of_that_path_alone(site: Site) -> None:
    answer = site.answer(request("/files/flights/2013-01.csv"))
    assert answer.status == 500
    assert "flights.csv.zip cannot be read" in json.loads(answer.body)["detail"]
    assert site.answer(request("/files/airlines.csv")).status == 200


def test_control_is_for_loopback_alone(site: Site) -> None:
    assert site.answer(request("/control/heal", "POST", from_loopback=False)).status == 404
    assert site.answer(request("/control/heal", "POST")).status == 204
