"""Tables in a bucket are those on disk: same rows, same digests, same errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import (
    ObjectNotFoundError,
    StoreDeniedError,
    StoreUnavailableError,
)
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.manifest_models import Source
from airnub_prefect_starter.core.store import FetchCommit, Store, open_store
from airnub_prefect_starter.core.store.bodies import BytesBody
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key
from tests.s3_kit import S3Server, reaching
from tests.unit.core.lake.kit import csv, load, refine, snapshot

MANY = 1_001


def _put(store: Store, name: str, body: bytes) -> None:
    with store.spool() as spool:
        spool.write(body)
        source = Source(url=f"http://sources.example/{name}", final_url="http://sources.example/x")
        store.commit_fetch(
            FetchCommit(namespace="ingestion.files", source_id=name, source=source, spool=spool)
        )


def _digests(url: str) -> dict[str, str]:
    store = open_store(url)
    _put(store, "f-01", csv("1,N1,5", "2,N2,x", "1,N1,5"))
    _put(store, "f-02", csv("3,N1,NA", "4,N9,"))
    load(store, "f-01", "f-02")
    refine(store)
    assert load(store, "f-01", "f-02").outcome == refine(store).outcome == "not_modified"
    return {name: snapshot(store, name).digest for name in ("bronze.flights", "silver.flights")}


def test_tables_in_a_bucket_have_the_rows_of_those_on_disk(s3: S3Server, tmp_path: Path) -> None:
    url = s3.url()

    assert _digests(url) == _digests((tmp_path / "store").as_uri())
    tables = Lake.of(open_store(url)).tables()
    assert tables == ["bronze/flights", "quarantine/flights", "silver/flights"]


def test_a_table_is_found_behind_more_objects_than_one_page_lists(s3: S3Server) -> None:
    store = open_store(s3.url())
    _put(store, "f-01", csv("1,N1,5"))
    load(store, "f-01")
    body = BytesBody(b"x")
    for number in range(MANY):
        key = Key(f"tables/bronze/aaa/part-{number:05}.parquet")
        store.backend.put(key, body, sha256=Digest.of(b"x"), size=1, if_absent=False)

    assert Lake.of(store).tables() == ["bronze/flights"]


def test_many_writers_are_taken_by_a_server_with_conditions(s3: S3Server) -> None:
    Lake.of(open_store(s3.url())).require_commits("silver/t", "many")


def test_a_table_that_is_not_there_is_told(s3: S3Server) -> None:
    lake = Lake.of(open_store(s3.url()))

    assert not lake.exists("silver/none")
    with pytest.raises(ObjectNotFoundError, match="there is no such table"):
        lake.open("silver/none")


def test_a_server_that_does_not_answer_is_told(s3: S3Server) -> None:
    store = open_store(s3.url())
    nowhere = {**s3.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with reaching(nowhere), pytest.raises(StoreUnavailableError, match="Opening the table"):
        Lake.of(store).open("silver/t")


def test_wrong_keys_are_told(s3: S3Server) -> None:
    store = open_store(s3.url())
    with (
        reaching({**s3.environment, "AWS_SECRET_ACCESS_KEY": "wrong-wrong-wrong"}),
        pytest.raises(StoreDeniedError, match="Opening the table"),
    ):
        Lake.of(store).open("silver/t")
