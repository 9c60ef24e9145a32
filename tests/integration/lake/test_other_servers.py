"""Servers without conditional puts: one writer at a time, or nothing at all.

The server is a process of its own: some calls of the Delta library hold the interpreter's lock
while they wait for an answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.manifest_models import Source
from airnub_prefect_starter.core.store import FetchCommit, Store, open_store
from tests.integration.lake import drivers
from tests.s3_kit import reaching
from tests.unit.core.lake.kit import csv, load, refine

PROJECT = Path(__file__).parents[3]


@contextmanager
def _store_on(manner: str) -> Iterator[Store]:
    command = [sys.executable, "-m", drivers.__name__, "serve", manner]
    with subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        with reaching(json.loads(server.stdout.readline())):
            yield _filled(open_store("s3://bucket/lake"))
        server.communicate()  # it ends when its input does


def _filled(store: Store) -> Store:
    source = Source(url="http://sources.example/f", final_url="http://sources.example/f")
    with store.spool() as spool:
        spool.write(csv("1,N1,5", "2,N2,x"))
        store.commit_fetch(
            FetchCommit(namespace="ingestion.files", source_id="f-01", source=source, spool=spool)
        )
    return store


def test_one_writer_at_a_time_works_where_conditions_are_ignored() -> None:
    with _store_on("obeys_if_none_match") as store:
        load(store, "f-01")
        refine(store)

        assert Lake.of(store).read("silver/flights")["id"].tolist() == [1]


def test_a_server_that_refuses_conditions_is_told_and_not_tried_again() -> None:
    with _store_on("understands_conditions") as store:
        with pytest.raises(ConfigError, match=r"501 Not Implemented.*use another object store"):
            load(store, "f-01")

        assert Lake.of(store).tables() == []
