"""Tables read and written by several processes, on disk and in a bucket."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.writing import WriteInfo, overwrite
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.store import open_store
from tests.integration.lake import drivers
from tests.s3_kit import S3Server

PROJECT = Path(__file__).parents[3]
READS = 20


def _start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", drivers.__name__, *arguments]
    return subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _with_a_table(url: str, ids: list[str]) -> Lake:
    lake = Lake.of(open_store(url))
    rows = pd.DataFrame({"id": ids, "value": range(len(ids))})
    overwrite(lake, drivers.TABLE, rows, WriteInfo(RunInfo(), "sha256:test"))
    return lake


def _reads_end_well(url: str) -> None:
    _with_a_table(url, ["a", "b", "c"])
    for _ in range(3):
        process = _start("read", url, str(READS))
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")


def _nothing_is_lost(url: str) -> None:
    """Let two processes make one table and merge into it."""
    lake = Lake.of(open_store(url))
    writers = [_start("merge", url, name) for name in "ab"]
    for writer in writers:
        _, errors = writer.communicate(timeout=240)
        assert (writer.returncode, errors) == (0, "")
    expected = {f"{name}-{n}" for name in "ab" for n in range(drivers.MERGES)}
    assert sorted(lake.read(drivers.TABLE)["id"]) == sorted(expected)
    assert lake.open(drivers.TABLE).version() == 2 * drivers.MERGES - 1


def test_a_process_that_read_tables_often_exits_well(tmp_path: Path) -> None:
    _reads_end_well((tmp_path / "store").as_uri())


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    _nothing_is_lost((tmp_path / "store").as_uri())


def test_a_process_that_read_tables_in_a_bucket_exits_well(s3: S3Server) -> None:
    _reads_end_well(s3.url())


def test_two_writers_in_a_bucket_lose_nothing(s3: S3Server) -> None:
    _nothing_is_lost(s3.url())


@pytest.mark.parametrize("place", ["disk", "bucket"])
def test_a_writer_that_is_killed_leaves_a_table_that_can_be_read(
    tmp_path: Path, s3: S3Server, place: str
) -> None:
    url = (tmp_path / "store").as_uri() if place == "disk" else s3.url()
    lake = _with_a_table(url, ["first"])
    for number in range(3):
        writer = _start("merge", url, f"w{number}")
        try:
            writer.wait(1.5 + 0.3 * number)
        except subprocess.TimeoutExpired:
            writer.kill()
        writer.communicate(timeout=30)
        ids = lake.read(drivers.TABLE)["id"]
        assert "first" in set(ids)
        assert ids.is_unique
        assert len(ids) == lake.open(drivers.TABLE).version() + 1
