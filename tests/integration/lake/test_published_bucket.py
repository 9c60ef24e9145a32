"""Gold, catalog, time travel and maintenance of tables in a bucket are those of tables on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import (
    ConfigError,
    ObjectNotFoundError,
    StoreUnavailableError,
)
from airnub_prefect_starter.core.lake.catalog import core_publish_catalog, read_catalog
from airnub_prefect_starter.core.lake.gold import core_make_gold
from airnub_prefect_starter.core.lake.gold_steps import GoldStep
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.maintenance import core_maintain_table
from airnub_prefect_starter.core.lake.queries import select
from airnub_prefect_starter.core.lake.time_travel import (
    core_compare_last_versions,
    find_commit,
    read_as_of,
)
from airnub_prefect_starter.core.lake.upkeep import Upkeep
from airnub_prefect_starter.core.store import Store, open_store
from airnub_prefect_starter.core.store.s3_address import parse_s3_url
from airnub_prefect_starter.core.store.s3_client import S3Connection, ensure_bucket
from tests.lake_kit import NAMESPACE, put_table, ref_of
from tests.s3_kit import S3Server, reaching, running_minio

TABLE = "silver/days"
STEP = GoldStep(
    name="days",
    tables={"days": ref_of(TABLE)},
    sql="SELECT origin, sum(n) AS n FROM days GROUP BY origin",
    key=("origin",),
)
UPKEEP = Upkeep(remove=True, retention_hours=0)


def _fill(store: Store) -> None:
    for rows in (["EWR"], ["EWR", "JFK"], ["EWR", "JFK", "LGA"]):
        frame = pd.DataFrame({"origin": rows, "n": range(len(rows))})
        put_table(store, TABLE, frame, ["origin"])
        if len(rows) == 1:
            ref = store.ref(NAMESPACE, "silver.days")
            assert ref is not None
            store.pin("audit", ref.manifest.digest)


def _everything(store: Store) -> dict[str, object]:
    """Do all that is done to gold tables, and give what can be compared."""
    _fill(store)
    lake = Lake.of(store)
    gold = core_make_gold(store, STEP, namespace=NAMESPACE)
    catalog = read_catalog(store, core_publish_catalog(store, namespace="publishing.catalog"))
    travel = core_compare_last_versions(lake, TABLE).difference
    assert travel is not None
    done = core_maintain_table(store, TABLE, UPKEEP)
    assert core_make_gold(store, STEP, namespace=NAMESPACE).outcome == "not_modified"
    with pytest.raises(ObjectNotFoundError, match="removed by maintenance"):
        read_as_of(lake, TABLE, find_commit(lake, TABLE, 1))
    return {
        "gold": gold.table_digest,
        "rows": {each.table: each.rows for each in catalog.tables},
        "travel": (travel.rows_before, travel.rows_after, travel.added, travel.removed),
        "upkeep": (done.joined, done.removed, done.kept, done.version),
        "pinned": len(read_as_of(lake, TABLE, find_commit(lake, TABLE, 0))),
    }


def test_all_is_as_on_disk(s3: S3Server, tmp_path: Path) -> None:
    in_bucket = _everything(open_store(s3.url()))

    assert in_bucket == _everything(open_store((tmp_path / "store").as_uri()))
    assert in_bucket["travel"] == (2, 3, 1, 0)
    assert in_bucket["upkeep"] == (0, 1, (0, 2), 4)
    assert in_bucket["pinned"] == 1


def test_a_server_that_goes_away_before_the_rows_may_come_back(
    s3: S3Server, tmp_path: Path
) -> None:
    program = shutil.which("minio")
    if program is None or not s3.ours:
        pytest.skip("Needs a server of its own, which can be ended")
    with running_minio(program, str(tmp_path)) as port:
        own = {**s3.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        with reaching(own):
            url = "s3://own/store"
            ensure_bucket(parse_s3_url(url), S3Connection())
            store = open_store(url)
            _fill(store)
            opened = Lake.of(store).open(TABLE)
            with pytest.raises(ConfigError, match="No field named nix"):
                select("SELECT nix FROM t", {"t": opened}, what="The query")

    with pytest.raises(StoreUnavailableError):
        select("SELECT * FROM t", {"t": opened}, what="The query")
