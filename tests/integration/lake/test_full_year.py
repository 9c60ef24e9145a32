"""A year of flights as configured: the figures that are known of it, at once and month by month."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from airnub_prefect_starter.core.configuration import load_yaml
from airnub_prefect_starter.core.lake.bronze import core_load_bronze
from airnub_prefect_starter.core.lake.gold import core_make_gold
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.order import silver_waves
from airnub_prefect_starter.core.lake.silver import core_refine_silver
from airnub_prefect_starter.core.lake.snapshots import TableSnapshot, read_snapshot
from airnub_prefect_starter.core.manifest_models import Source
from airnub_prefect_starter.core.store import FetchCommit, Store, open_store
from airnub_prefect_starter.demo.data import MONTHS, SMALL_TABLES, SampleTables
from flows.dept_data_lake.processing.lake_etl.config import CATEGORY, LakeEtlConfig

ROOT = Path(__file__).parents[3]
NAMESPACE = CATEGORY.namespace
POSTS = b'{"userId":1,"id":1,"title":"t","body":"b"}\n'


@pytest.fixture(scope="module")
def config() -> LakeEtlConfig:
    return load_yaml(ROOT / CATEGORY.config_file, LakeEtlConfig)


@pytest.fixture(scope="module")
def tables() -> SampleTables:
    return SampleTables()


@pytest.fixture(scope="module")
def at_once(
    config: LakeEtlConfig, tables: SampleTables, tmp_path_factory: pytest.TempPathFactory
) -> Store:
    store = _store(tmp_path_factory.mktemp("once"), tables)
    for month in MONTHS:
        _put(store, f"flights-2013-{month:02}", tables.flights_csv(month))
    _run(store, config, len(MONTHS))
    return store


def _store(folder: Path, tables: SampleTables) -> Store:
    store = open_store((folder / "store").as_uri(), durability="none")
    for name in SMALL_TABLES:
        _put(store, name, tables.csv_bytes(name))
    _put(store, "posts", POSTS, "ingestion.public_api_data")
    return store


def _put(store: Store, name: str, body: bytes, namespace: str = "ingestion.flight_files") -> None:
    source = Source(url=f"http://sources.example/{name}", final_url="http://sources.example/x")
    with store.spool() as spool:
        spool.write(body)
        store.commit_fetch(
            FetchCommit(namespace=namespace, source_id=name, source=source, spool=spool)
        )


def _run(store: Store, config: LakeEtlConfig, months: int) -> list[str]:
    outcomes: list[str] = []
    for step in config.bronze:
        known = step.model_copy(update={"inputs": step.inputs[:months]})
        outcomes.append(core_load_bronze(store, known, namespace=NAMESPACE).outcome)
    for wave in silver_waves(config.silver):
        outcomes += [core_refine_silver(store, s, namespace=NAMESPACE).outcome for s in wave]
    outcomes += [core_make_gold(store, s, namespace=NAMESPACE).outcome for s in config.gold]
    return outcomes


def _snapshot(store: Store, name: str) -> TableSnapshot:
    return read_snapshot(store, f"{NAMESPACE}/{name}")


def _warnings(snapshot: TableSnapshot) -> Counter[str]:
    return sum((Counter(each.warnings) for each in snapshot.batches.values()), Counter[str]())


def test_all_flights_are_there_and_what_they_refer_to_is_counted(at_once: Store) -> None:
    flights = _snapshot(at_once, "silver.flights")

    assert flights.rows == 336_776
    assert len(flights.parts) == 12
    warnings = _warnings(flights)
    assert warnings["tailnum in planes"] + warnings["tailnum missing"] == 52_606
    assert warnings["tailnum missing"] == 2_512
    assert warnings["dest in airports"] == 7_602


def test_a_wind_of_1048_miles_an_hour_is_in_quarantine(at_once: Store) -> None:
    weather = _snapshot(at_once, "silver.weather").batches["weather"]
    (found,) = Lake.of(at_once).read("quarantine/weather").to_dict("records")

    assert (weather.rows_in, weather.rows_out, weather.rejected) == (26_115, 26_114, 1)
    assert found["column"] == "wind_speed"
    assert float(found["value"]) == pytest.approx(1048.36, abs=0.01)


def test_every_plane_and_airport_is_there(at_once: Store) -> None:
    rows = {name: _snapshot(at_once, f"silver.{name}").rows for name in SMALL_TABLES}

    assert rows == {"airlines": 16, "airports": 1_458, "planes": 3_322, "weather": 26_114}


def test_a_second_run_writes_nothing(at_once: Store, config: LakeEtlConfig) -> None:
    assert set(_run(at_once, config, len(MONTHS))) == {"not_modified"}


def test_a_year_month_by_month_is_the_year_at_once(
    at_once: Store, config: LakeEtlConfig, tables: SampleTables, tmp_path: Path
) -> None:
    store = _store(tmp_path, tables)
    for month in MONTHS:
        _put(store, f"flights-2013-{month:02}", tables.flights_csv(month))
        _run(store, config, month)

    bronze, silver, gold = config.bronze, config.silver, config.gold
    names = [
        *(step.source_id for step in bronze),
        *(step.source_id for step in silver),
        *(step.source_id for step in gold),
    ]
    assert {name: _snapshot(store, name).digest for name in names} == {
        name: _snapshot(at_once, name).digest for name in names
    }
