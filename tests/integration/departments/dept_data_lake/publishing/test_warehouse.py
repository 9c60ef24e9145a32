"""What a run of the category leaves in a PostgreSQL, and how runs without one end."""

from collections.abc import Iterator

import pandas as pd
import pytest
from psycopg import sql

from airnub_prefect_starter.common.errors import exit_code_of
from airnub_prefect_starter.core.lake.warehouse_config import PublishedTable, Warehouse
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_data_lake.publishing.warehouse.config import CATEGORY, WarehouseConfig
from flows.dept_data_lake.publishing.warehouse.publish_warehouse_flow_dept_data_lake import (
    publish_warehouse_flow_dept_data_lake,
)
from flows.dept_data_lake.publishing.warehouse.tasks import publish_table_task_dept_data_lake
from tests.integration.departments.kit import StoreOf
from tests.lake_kit import put_table, ref_of
from tests.postgres_kit import Postgres, postgres_server
from tests.s3_kit import free_port

DAYS = PublishedTable(name="days", input=ref_of("gold/days"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def password(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let libpq find the password: the department of this test names no secret."""
    monkeypatch.setenv("PGPASSWORD", postgres.password.get_secret_value())


@pytest.fixture
def store(store_of: StoreOf) -> Store:
    store = store_of(CATEGORY.department)
    put_table(store, "gold/days", pd.DataFrame({"day": ["mon", "tue"]}), ["day"])
    return store


def test_gold_tables_are_published_once(store: Store, postgres: Postgres, password: None) -> None:
    with postgres.schema() as schema:
        warehouse = Warehouse(url=postgres.url, db_schema=schema)
        config = WarehouseConfig(warehouse=warehouse, tables=(DAYS,))

        first = publish_warehouse_flow_dept_data_lake(config)
        again = publish_warehouse_flow_dept_data_lake(config)

        assert [each.outcome for each in (*first, *again)] == ["stored", "not_modified"]
        with postgres.connect() as connection:
            query = sql.SQL("SELECT day FROM {} ORDER BY day").format(
                sql.Identifier(schema, "days")
            )
            assert connection.execute(query).fetchall() == [("mon",), ("tue",)]


def test_without_a_warehouse_the_run_completes_and_says_so(store: Store) -> None:
    config = WarehouseConfig(warehouse=Warehouse(url="none"), tables=(DAYS,))

    state = publish_warehouse_flow_dept_data_lake(config, return_state=True)

    assert state.is_completed()
    assert state.message == (
        "No warehouse is configured, so nothing was published: set WAREHOUSE_URL"
    )
    together = run_together(
        CATEGORY.stage, {"warehouse": Subflow(publish_warehouse_flow_dept_data_lake, config)}
    )
    assert together.require_all() == [[]]


def test_a_warehouse_that_does_not_answer_is_tried_again_and_fails_the_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = publish_table_task_dept_data_lake.publish_table_task_dept_data_lake
    monkeypatch.setattr(task, "retries", 1)
    monkeypatch.setattr(task, "retry_delay_seconds", 0)
    away = Warehouse(url=f"postgresql://nobody@127.0.0.1:{free_port()}/lake")
    config = WarehouseConfig(warehouse=away, tables=(DAYS,))

    state = publish_warehouse_flow_dept_data_lake(config, return_state=True)

    assert state.is_failed()
    assert "days: WarehouseUnavailableError" in (state.message or "")
    error = state.result(raise_on_failure=False)
    assert isinstance(error, BaseException)
    assert exit_code_of(error) == 41
    (report,) = store.reports()
    assert [each.source_id for each in report.failures] == ["days"]
