from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airnub_prefect_starter.common.errors import ConfigError, SourceUnavailableError
from airnub_prefect_starter.core.examples.s3_integration import (
    ENVIRONMENTS,
    StoredObject,
    call_function,
    created_event,
)

PUT = StoredObject(
    bucket="datalake",
    key="raw-data/2024/01/02/030405/a data.json",
    size=3,
    etag="abc",
    sha256="sha256:" + "0" * 64,
    put_at=datetime(2024, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
)


def test_the_event_is_that_of_s3() -> None:
    (record,) = created_event(PUT)["Records"]

    assert record["eventName"] == "ObjectCreated:Put"
    assert record["eventTime"] == "2024-01-02T03:04:05.678Z"
    assert record["s3"]["bucket"]["name"] == "datalake"
    assert record["s3"]["object"] == {
        "key": "raw-data/2024/01/02/030405/a+data.json",
        "size": 3,
        "eTag": "abc",
    }


def test_production_has_more_memory_and_keeps_longer() -> None:
    facts = {
        name: (each.function_memory_mb, each.retention_days) for name, each in ENVIRONMENTS.items()
    }

    assert facts == {"dev": (256, 30), "staging": (256, 30), "prod": (512, 365)}


def test_a_function_without_an_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no function"):
        call_function("ftp://host/f", {}, 256)


def test_no_message_has_the_password_of_a_function() -> None:
    with pytest.raises(SourceUnavailableError) as caught:
        call_function("http://user:hunter2@127.0.0.1:9/f?token=hunter3", {}, 256)

    assert "hunter" not in str(caught.value)


def test_a_function_that_is_away_may_be_called_again() -> None:
    with pytest.raises(SourceUnavailableError, match="cannot be called"):
        call_function("http://127.0.0.1:9/f", {}, 256)
