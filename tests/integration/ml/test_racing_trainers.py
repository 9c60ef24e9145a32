"""Many trainers register and promote at the same moment: no version and no decision is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.store import open_store
from tests.integration.ml import drivers
from tests.s3_kit import S3Server, s3_server

PROJECT = Path(__file__).parents[3]
TRAINERS = 4


def _race(url: str) -> None:
    command = [sys.executable, "-m", drivers.__name__, url, str(TRAINERS)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, timeout=300)
    assert done.stderr == b""
    told = [json.loads(line) for line in done.stdout.splitlines()]
    total = TRAINERS * drivers.ROUNDS
    assert sorted(each["number"] for each in told) == list(range(1, total + 1))

    registry = ModelRegistry(open_store(url, durability="none"), "leavers")
    assert len(registry.versions()) == total
    champion = registry.champion()
    assert champion is not None
    assert champion.metrics["auc"] == max(each["auc"] for each in told)


def test_on_disk(tmp_path: Path) -> None:
    _race((tmp_path / "store").as_uri())


@pytest.fixture
def s3() -> Iterator[S3Server]:
    with s3_server() as server, server.reachable():
        yield server


def test_in_a_bucket(s3: S3Server) -> None:
    _race(s3.url())
