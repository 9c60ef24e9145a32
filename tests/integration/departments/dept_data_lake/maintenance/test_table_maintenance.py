"""What a run of the category does to files, and that it waits for writers."""

from collections.abc import Iterator

import pandas as pd
import pytest

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.upkeep import Upkeep
from airnub_prefect_starter.core.lake.writing import WriteInfo, append
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.store import Store
from flows.dept_data_lake.maintenance.table_maintenance.config import (
    CATEGORY,
    TableMaintenanceConfig,
)
from flows.dept_data_lake.maintenance.table_maintenance.maintain_tables_flow_dept_data_lake import (
    maintain_tables_flow_dept_data_lake,
)
from tests.integration.departments.kit import StoreOf, limits_of
from tests.lake_kit import put_table

CONFIG = TableMaintenanceConfig(upkeep=Upkeep(remove=True, retention_hours=0))
DAYS = pd.DataFrame({"day": ["mon"]})
INFO = WriteInfo(RunInfo(), "sha256:test")


@pytest.fixture
def limit(prefect_server: None) -> Iterator[str]:
    """Register the limit that lets one writer at a time write silver/posts, and its quarantine."""
    with limits_of(CATEGORY.department, "silver_posts"):
        yield f"{CATEGORY.department.id}.silver_posts"


@pytest.fixture
def store(store_of: StoreOf) -> Store:
    store = store_of(CATEGORY.department)
    for _ in range(2):
        put_table(store, "silver/posts", DAYS, ["day"])
    lake = Lake.of(store)
    for table in ("quarantine/posts", "ops/checks"):
        for _ in range(3):
            append(lake, table, DAYS, INFO)
    return store


def test_every_table_has_few_files_and_the_same_rows(limit: str, store: Store) -> None:
    done = {each.table: each for each in maintain_tables_flow_dept_data_lake(CONFIG)}

    assert set(done) == {"silver/posts", "quarantine/posts", "ops/checks"}
    assert (done["silver/posts"].joined, done["silver/posts"].removed) == (0, 1)
    assert (done["ops/checks"].joined, done["ops/checks"].removed) == (3, 3)
    assert len(Lake.of(store).read("ops/checks")) == 3


def test_a_table_of_many_writers_has_no_limit_and_is_maintained(store: Store) -> None:
    for _ in range(2):
        append(Lake.of(store), "silver/days", DAYS, INFO)

    state = maintain_tables_flow_dept_data_lake(
        TableMaintenanceConfig(tables=("silver/days",), upkeep=CONFIG.upkeep), return_state=True
    )

    assert state.is_completed(), state.message
    assert len(Lake.of(store).open("silver/days").file_uris()) == 1


def test_a_table_whose_limit_is_not_registered_is_left_alone_and_fails_the_run(
    store: Store,
) -> None:
    state = maintain_tables_flow_dept_data_lake(
        TableMaintenanceConfig(tables=("silver/posts",), upkeep=CONFIG.upkeep), return_state=True
    )

    assert state.is_failed()
    assert "silver/posts" in (state.message or "")
    assert Lake.of(store).open("silver/posts").version() == 1
