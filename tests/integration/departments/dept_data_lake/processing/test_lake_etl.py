"""What a run of the category makes of stored bytes, and how runs with bad batches end."""

from collections.abc import Iterator

import pytest

from airnub_prefect_starter.common.errors import exit_code_of
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.configuration import load_yaml
from airnub_prefect_starter.core.departments import load_catalog
from airnub_prefect_starter.core.lake.gold_steps import GoldStep
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import read_snapshot
from airnub_prefect_starter.core.lake.steps import BronzeStep, ForeignKey, SilverStep
from airnub_prefect_starter.core.lake.table_step import limit_of
from airnub_prefect_starter.core.lineage import TraceNode, trace
from airnub_prefect_starter.core.manifest_models import Source
from airnub_prefect_starter.core.store import FetchCommit, Store
from airnub_prefect_starter.core.table_schema import Column, TableSchema
from airnub_prefect_starter.tasks.fan_out import PartialFailureError
from flows.dept_data_lake.processing.lake_etl.config import CATEGORY, LakeEtlConfig
from flows.dept_data_lake.processing.lake_etl.refine_lake_flow_dept_data_lake import (
    refine_lake_flow_dept_data_lake,
)
from tests.integration.departments.kit import StoreOf, limits_of, shown

PLANES = b"tailnum,seats\nN1,100\nN2,200\n"
JANUARY = b"id,tailnum,delay\n1,N1,5\n2,N9,7\n2,N9,7\n"
FEBRUARY = b"id,tailnum,delay,gate\n3,N1,x,A1\n4,N2,-3,A2\n5,N2,1,A3\n6,N2,1,A3\n"

CONFIG = LakeEtlConfig(
    bronze=(
        BronzeStep(name="planes", inputs=("ingestion.files/planes",)),
        BronzeStep(name="flights", inputs=("ingestion.files/f-01", "ingestion.files/f-02")),
    ),
    silver=(
        SilverStep(
            name="flights",
            contract=TableSchema(
                columns=(
                    Column(name="id", dtype="int"),
                    Column(name="tailnum", dtype="string"),
                    Column(name="delay", dtype="int", nullable=True),
                ),
                key=("id",),
            ),
            foreign_keys=(
                ForeignKey(columns=("tailnum",), table="planes", references=("tailnum",)),
            ),
            max_rejected_percent=30,
        ),
        SilverStep(
            name="planes",
            contract=TableSchema(
                columns=(
                    Column(name="tailnum", dtype="string"),
                    Column(name="seats", dtype="int", minimum=1),
                ),
                key=("tailnum",),
            ),
        ),
    ),
    gold=(
        GoldStep(
            name="delays",
            tables={"flights": "processing.lake_etl/silver.flights"},
            sql="SELECT tailnum, sum(delay) AS delay FROM flights GROUP BY tailnum",
            key=("tailnum",),
        ),
    ),
)
TABLES = ["bronze/flights", "bronze/planes", "gold/delays", "quarantine/flights"]


@pytest.fixture
def limits(prefect_server: None) -> Iterator[None]:
    with limits_of(CATEGORY.department, *map(limit_of, _tables(CONFIG))):
        yield


@pytest.fixture
def store(store_of: StoreOf) -> Store:
    store = store_of(CATEGORY.department)
    for name, body in {"planes": PLANES, "f-01": JANUARY, "f-02": FEBRUARY}.items():
        _put(store, name, body)
    return store


def _tables(config: LakeEtlConfig) -> list[str]:
    layers = (config.bronze, config.silver, config.gold)
    return [step.table for layer in layers for step in layer]


def _put(store: Store, name: str, body: bytes) -> None:
    url = f"http://sources.example/{name}"
    with store.spool() as spool:
        spool.write(body)
        store.commit_fetch(
            FetchCommit(
                namespace="ingestion.files",
                source_id=name,
                source=Source(url=url, final_url=url),
                spool=spool,
            )
        )


def _labels(nodes: tuple[TraceNode, ...]) -> set[str]:
    return {node.id for node in nodes}.union(*(_labels(node.children) for node in nodes))


def test_rows_go_through_all_layers_and_a_second_run_writes_nothing(
    limits: None, store: Store
) -> None:
    state = refine_lake_flow_dept_data_lake(CONFIG, return_state=True)

    assert state.is_completed(), state.message
    lake = Lake.of(store)
    assert lake.tables() == [*TABLES, "silver/flights", "silver/planes"]
    assert lake.read("gold/delays").to_dict("list") == {
        "tailnum": ["N1", "N2", "N9"],
        "delay": [5, -1, 7],
    }
    snapshot = read_snapshot(store, "processing.lake_etl/silver.flights")
    january, february = snapshot.batches["f-01"], snapshot.batches["f-02"]
    assert (january.rows_in, january.rows_out, january.duplicates) == (3, 2, 1)
    assert january.warnings == {"tailnum in planes": 1}
    assert (february.rows_in, february.rows_out, february.rejected) == (4, 3, 1)
    versions = {table: lake.open(table).version() for table in lake.tables()}

    again = refine_lake_flow_dept_data_lake(CONFIG, return_state=True)

    assert {each.outcome for each in again.result()} == {"not_modified"}
    assert {table: lake.open(table).version() for table in lake.tables()} == versions


def test_a_gold_table_is_traced_to_the_bytes(limits: None, store: Store) -> None:
    refine_lake_flow_dept_data_lake(CONFIG)

    found = _labels(trace(store, "processing.lake_etl/gold.delays").made_of)

    fetched = {"planes", "f-01", "f-02"}
    assert {f"http://sources.example/{name}" for name in fetched} <= found


def test_what_needs_a_table_that_failed_is_not_run_and_named(limits: None, store: Store) -> None:
    _put(store, "f-02", b"id,tailnum,delay\n1,N1\n")

    state = refine_lake_flow_dept_data_lake(CONFIG, return_state=True)

    assert state.is_failed()
    message = state.message or ""
    assert "bronze.flights: PayloadError: 1 of 2 batches of bronze/flights failed" in message
    assert "silver.flights: RunFailedError: not run, since bronze.flights failed" in message
    assert "gold.delays: RunFailedError: not run, since silver.flights failed" in message
    error = state.result(raise_on_failure=False)
    assert isinstance(error, PartialFailureError)
    assert exit_code_of(error) == 1
    tables = Lake.of(store).read("bronze/flights", columns=["_batch"])
    assert set(tables["_batch"]) == {"f-01"}
    assert read_snapshot(store, "processing.lake_etl/silver.planes").rows == 2


def test_what_changed_and_what_was_rejected_is_shown(limits: None, store: Store) -> None:
    refine_lake_flow_dept_data_lake(CONFIG)

    tables = shown("data-lake-processing-lake-etl-tables")
    assert "f-02 added gate" in tables
    assert "tailnum in planes | 1 | 1 | kept, as a warning" in tables
    why = "delay: is not a whole number of at most 18 digits"
    assert f"{why} | 1 | 1 | in quarantine/flights" in tables


def test_a_table_without_its_limit_is_not_written(store: Store) -> None:
    state = refine_lake_flow_dept_data_lake(CONFIG, return_state=True)

    assert state.is_failed()
    assert "ConcurrencySlotAcquisitionError" in (state.message or "")
    assert Lake.of(store).tables() == []


def test_every_table_that_is_configured_has_a_limit_of_one() -> None:
    settings = load_settings()
    config = load_yaml(settings.project_root / CATEGORY.config_file, LakeEtlConfig)
    limits = load_catalog(settings).department(CATEGORY.department.id).spec.limits

    names = [limit_of(table) for table in _tables(config)]
    assert {name: limits.get(name) for name in names} == dict.fromkeys(names, 1)
