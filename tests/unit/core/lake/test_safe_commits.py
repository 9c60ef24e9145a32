"""Servers that do not honour conditional puts: many writers are refused, one may go on."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.lake.bronze import core_load_bronze
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.steps import BronzeStep
from airnub_prefect_starter.core.manifest_models import Source
from airnub_prefect_starter.core.store import FetchCommit, Store, open_store
from tests.broken_s3 import BrokenS3
from tests.s3_kit import reaching
from tests.unit.core.store.s3_tools import URL


@pytest.fixture
def server() -> Iterator[BrokenS3]:
    with BrokenS3() as broken, reaching(broken.environment):
        yield broken


@pytest.fixture
def store(server: BrokenS3) -> Store:
    return open_store(URL)


@pytest.mark.parametrize("manner", ["obeys_if_none_match", "understands_conditions"])
def test_many_writers_are_refused_with_the_reason(
    server: BrokenS3, store: Store, manner: str
) -> None:
    setattr(server.s3.manners, manner, False)

    with pytest.raises(ConfigError, match=r"silver/t has many writers, but http.*If-None-Match"):
        Lake.of(store).require_commits("silver/t", "many")


def test_one_writer_may_go_on_and_the_log_says_so(
    server: BrokenS3, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    server.s3.manners.obeys_if_none_match = False

    with caplog.at_level(logging.WARNING):
        Lake.of(store).require_commits("silver/t", "single")

    assert "silver/t is safe with one writer at a time only" in caplog.text


def test_a_server_that_honours_them_takes_many(server: BrokenS3, store: Store) -> None:
    Lake.of(store).require_commits("silver/t", "many")


def test_nothing_is_written_by_a_step_that_is_refused(server: BrokenS3, store: Store) -> None:
    server.s3.manners.obeys_if_none_match = False
    with store.spool() as spool:
        spool.write(b"id\n1\n")
        source = Source(url="http://sources.example/f", final_url="http://sources.example/f")
        store.commit_fetch(
            FetchCommit(namespace="files", source_id="f", source=source, spool=spool)
        )

    step = BronzeStep(name="f", inputs=("files/f",), writers="many")
    with pytest.raises(ConfigError, match="bronze/f has many writers"):
        core_load_bronze(store, step, namespace="processing.lake_etl")

    assert list(store.backend.list("tables/")) == []


def test_disk_takes_many(content_store: Store) -> None:
    Lake.of(content_store).require_commits("silver/t", "many")
