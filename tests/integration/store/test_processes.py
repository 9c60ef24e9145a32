"""What remains after writers were killed, and after many raced."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.layout import BLOBS, REFS
from airnub_prefect_starter.core.store.verify import verify
from tests.integration.store import drivers
from tests.s3_kit import S3Server, s3_backend
from tests.unit.core.store.tools import local_store

PROJECT = Path(__file__).parents[3]
CRASHES = 200
CRASHES_IN_BUCKET = 40
RACERS = 16


def run(driver: str, root: Path | str, count: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", drivers.__name__, driver, str(root), str(count)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, timeout=300)
    assert done.stderr == b""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_killed_writer_leaves_a_sound_store(tmp_path: Path) -> None:
    reports = run("crash", tmp_path, CRASHES)
    assert len(reports) == CRASHES
    assert all(each["killed"] for each in reports)
    assert [each["violations"] for each in reports if each["violations"]] == []
    assert reports[-1]["unfinished"] > 0
    assert reports[-1]["refs"] == 4


def test_racing_writers_leave_one_object(tmp_path: Path) -> None:
    outcomes = Counter(each["outcome"] for each in run("race", tmp_path, RACERS))
    store = local_store(tmp_path)
    assert outcomes["stored"] == 1
    assert outcomes.total() == RACERS
    assert len(list(store.backend.list(BLOBS))) == 2
    assert len(list(store.backend.list(REFS))) == 4
    report = verify(store, level="deep")
    assert report.violations == ()
    assert report.unfinished == 0


def test_a_killed_writer_leaves_a_sound_store_in_a_bucket(s3: S3Server) -> None:
    reports = run("crash", s3.url(), CRASHES_IN_BUCKET)
    assert len(reports) == CRASHES_IN_BUCKET
    assert all(each["killed"] for each in reports)
    assert [each["violations"] for each in reports if each["violations"]] == []
    assert reports[-1]["refs"] == 4


def test_racing_writers_leave_one_object_in_a_bucket(s3: S3Server) -> None:
    url = s3.url()
    outcomes = Counter(each["outcome"] for each in run("race", url, RACERS))
    store = Store(s3_backend(url))
    assert outcomes["stored"] >= 1  # large objects are put without a condition, so by more than one
    assert outcomes.total() == RACERS
    assert len(list(store.backend.list(BLOBS))) == 2
    assert len(list(store.backend.list(REFS))) == 4
    report = verify(store, level="deep")
    assert report.violations == ()
    assert report.unfinished == 0
