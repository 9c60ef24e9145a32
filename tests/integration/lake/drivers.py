"""What the tests of this folder run in processes of their own: ``python -m … NAME URL …``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import pandas as pd

from airnub_prefect_starter.common.errors import TableConflictError
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.writing import WriteInfo, merge
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.store import open_store
from tests.broken_s3 import BrokenS3

TABLE = "silver/t"
MERGES = 10


def read_often(url: str, count: str) -> None:
    lake = Lake.of(open_store(url))
    for _ in range(int(count)):
        assert len(lake.read(TABLE)) == 3
        lake.query("SELECT count(*) FROM t", {"t": TABLE})


def merge_rows(url: str, writer: str) -> None:
    """Merge rows one by one, again after a conflict as a task is; print the conflicts."""
    lake, conflicts = Lake.of(open_store(url)), 0
    for number in range(MERGES):
        row = pd.DataFrame({"id": [f"{writer}-{number}"], "value": [number]})
        while True:
            try:
                merge(lake, TABLE, row, WriteInfo(RunInfo(), "sha256:test"), key=["id"])
                break
            except TableConflictError:
                conflicts += 1
                time.sleep(0.02 * conflicts)
    sys.stdout.write(f"{conflicts}\n")


def serve(manner: str) -> None:
    """Be a server without a manner until the input ends; print how it is reached."""
    with BrokenS3() as server:
        setattr(server.s3.manners, manner, False)
        sys.stdout.write(json.dumps(server.environment) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    NAMED: dict[str, Callable[..., None]] = {
        "read": read_often,
        "merge": merge_rows,
        "serve": serve,
    }
    NAMED[sys.argv[1]](*sys.argv[2:])
