"""A bucket into the lake: all pages, mixed formats, broken files, nothing at all."""

import io
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.s3_address import S3Address, parse_s3_url
from airnub_prefect_starter.core.store.s3_client import S3Connection, client_for
from tests.integration.entry_points.conftest import Program, errors
from tests.s3_kit import S3Server

FILE = "etl/s3_data_pipeline.py"


class Bucket:
    """A prefix of its own, and the program that reads it."""

    def __init__(self, server: S3Server, program: Program) -> None:
        self.url = server.url()
        self._place: S3Address = parse_s3_url(self.url)
        self._environment = server.environment
        self._program = program

    def put(self, files: dict[str, bytes]) -> None:
        client: Any = client_for(S3Connection())
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(lambda item: self._put(client, *item), files.items()))

    def load(self, table: str = "objects") -> subprocess.CompletedProcess[str]:
        arguments = ["--source", self.url, "--table", table]
        return self._program(FILE, *arguments, **self._environment)

    def _put(self, client: Any, name: str, body: bytes) -> None:
        client.put_object(Bucket=self._place.bucket, Key=self._place.name(name), Body=body)


@pytest.fixture
def bucket(s3: S3Server, program: Program) -> Any:
    with s3.reachable():
        yield Bucket(s3, program)


def _parquet(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.to_parquet(sink)
    return sink.getvalue()


def test_more_objects_than_a_page_has_are_all_loaded_once(bucket: Bucket, lake: Store) -> None:
    bucket.put({f"{n:04}.csv": f"number\n{n}\n".encode() for n in range(1001)})

    first, second = bucket.load(), bucket.load()

    assert first.returncode == 0, first.stderr[-2000:]
    assert second.returncode == 0, second.stderr[-2000:]
    assert [each["outcome"] for each in json.loads(second.stdout)] == ["not_modified"] * 2
    rows = Lake.of(lake).read("silver/objects")
    assert sorted(rows["number"]) == [*range(1001)]


def test_formats_are_read_and_equal_rows_of_two_files_are_one(bucket: Bucket, lake: Store) -> None:
    rows = [{"id": 2, "name": "b"}, {"id": 3, "name": None}]
    bucket.put(
        {
            "one.csv": b"id,name\n1,a\n2,b\n",
            "sub/two.json": json.dumps(rows).encode(),
            "three.parquet": _parquet(pd.DataFrame({"id": [4], "name": ["d"]})),
        }
    )

    done = bucket.load("people")

    assert done.returncode == 0, done.stderr[-2000:]
    silver = Lake.of(lake).read("silver/people")
    assert sorted(silver["id"]) == [1, 2, 3, 4]
    assert set(silver["_file"]) == {"one.csv", "sub/two.json", "three.parquet"}
    counts = json.loads(done.stdout)[1]["rows"]
    assert counts == {"rows_in": 5, "rows_out": 4, "rejected": 0, "duplicates": 1}


def test_broken_files_are_named_and_kept_aside_and_the_others_loaded(
    bucket: Bucket, lake: Store
) -> None:
    whole = _parquet(pd.DataFrame({"id": [9]}))
    bucket.put({"good.csv": b"id\n1\n", "cut.parquet": whole[:-20], "notes.txt": b"hello"})

    done = bucket.load()

    assert done.returncode == 17
    (line,) = errors(done)
    assert "2 of 3 files cannot be read" in line
    assert "cut.parquet" in line
    assert "notes.txt" in line
    tables = Lake.of(lake)
    assert tables.read("silver/objects")["id"].tolist() == [1]
    aside = tables.read("quarantine/objects")
    assert set(aside["_file"]) == {"cut.parquet", "notes.txt"}
    broken = aside.loc[aside["_file"] == "cut.parquet", "_blob"].iloc[0]
    assert lake.read_blob(broken) == whole[:-20]


def test_an_empty_prefix_is_an_error(bucket: Bucket, lake: Store) -> None:
    done = bucket.load()

    assert done.returncode == 22
    assert "There are no files" in errors(done)[0]
    assert Lake.of(lake).tables() == []


def test_no_address_is_one_line(program: Program, lake: Store) -> None:
    done = program(FILE, "--source", "ftp://somewhere")

    assert done.returncode == 3
    assert "no bucket or folder" in errors(done)[0]
