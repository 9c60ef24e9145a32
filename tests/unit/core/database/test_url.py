"""Addresses of databases: what is taken, and why the rest is not."""

from __future__ import annotations

import pytest

from airnub_prefect_starter.core.database.url import (
    check_database_url,
    recorded_url,
    shown_url,
    sqlite_path,
)


@pytest.mark.parametrize(
    "url",
    [
        "${SOURCES_DATABASE_URL}",
        "sqlite:////data/flights.db",
        "postgresql://reader@db.example/flights",
        "postgresql+psycopg://reader@db.example:5433/flights?sslmode=require",
        "postgresql://db.example/flights",
    ],
)
def test_addresses_that_are_taken(url: str) -> None:
    assert check_database_url(url) == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://reader:hunter2@db.example/flights", "name a secret"),
        ("postgresql://reader:hun/ter2@db.example/flights", "not an address"),
        ("postgresql://reader@db.example/flights?password=hunter2", "parameter 'password'"),
        ("postgresql://reader@db.example/flights?options=-c+hunter2", "parameter 'options'"),
        ("postgresql://reader@db.example", "names no host or database"),
        ("postgresql:///flights", "names no host or database"),
        ("postgresql://db.example/flights/more", "names no host or database"),
        ("sqlite:///relative.db", "names no file"),
        ("sqlite://", "names no file"),
        ("sqlite:////data/flights.db?mode=rw", "names no file"),
        ("mysql://reader@db.example/flights", "neither"),
        ("postgresql+asyncpg://reader@db.example/flights", "neither"),
        ("flights.db", "neither"),
        ("postgresql://[db.example/flights", "not an address"),
    ],
)
def test_addresses_that_are_refused_are_not_repeated(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as found:
        check_database_url(url)

    assert "hunter2" not in str(found.value)


def test_a_file_is_shown_whole_and_recorded_by_name() -> None:
    url = "sqlite:////data/more%20flights.db"

    assert sqlite_path(url) == "/data/more flights.db"
    assert shown_url(url) == url
    assert recorded_url(url) == "sqlite:///more flights.db"


def test_a_server_is_recorded_without_the_user() -> None:
    assert (
        recorded_url("postgresql://reader@db.example/flights") == "postgresql://db.example/flights"
    )
