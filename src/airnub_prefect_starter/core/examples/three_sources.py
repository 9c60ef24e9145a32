"""An API, a file and a database, fetched into one store and made into tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from airnub_prefect_starter.core.api_handlers import core_fetch_api_and_store
from airnub_prefect_starter.core.data_cleaning import core_process_and_store
from airnub_prefect_starter.core.database_handlers import core_fetch_table
from airnub_prefect_starter.core.examples.posts import ACCESS
from airnub_prefect_starter.core.file_handlers import core_download_hash_store_and_manifest
from airnub_prefect_starter.core.manifest_models import DerivedResult, RunInfo, SourceResult
from airnub_prefect_starter.core.sources import ApiSource, DatabaseSource, FileSource
from airnub_prefect_starter.core.steps import ProcessingStep
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.table_schema import Column, TableSchema

Kind = Literal["api", "file", "database"]

FETCHED, TABLES = "examples.sources", "examples.tables"
SOURCES: Mapping[Kind, str] = {"api": "airlines", "file": "airports", "database": "daily-flights"}

_STEPS: Mapping[Kind, ProcessingStep] = {
    "api": ProcessingStep(
        source_id=SOURCES["api"],
        inputs=(f"{FETCHED}/{SOURCES['api']}",),
        reader="json_lines",
        table=TableSchema(
            key=("carrier",),
            columns=(
                Column(name="carrier", dtype="string"),
                Column(name="name", dtype="string"),
            ),
        ),
    ),
    "file": ProcessingStep(
        source_id=SOURCES["file"],
        inputs=(f"{FETCHED}/{SOURCES['file']}",),
        table=TableSchema(
            key=("faa",),
            columns=(
                Column(name="faa", dtype="string"),
                Column(name="name", dtype="string"),
                Column(name="lat", dtype="float"),
                Column(name="lon", dtype="float"),
            ),
        ),
    ),
    "database": ProcessingStep(
        source_id=SOURCES["database"],
        inputs=(f"{FETCHED}/{SOURCES['database']}",),
        reader="json_lines",
        table=TableSchema(
            key=("date", "origin", "carrier"),
            columns=(
                Column(name="date", dtype="date"),
                Column(name="origin", dtype="string"),
                Column(name="carrier", dtype="string"),
                Column(name="flights", dtype="int", minimum=0),
                Column(name="cancelled", dtype="int", minimum=0),
            ),
        ),
    ),
}


def fetch_source(store: Store, kind: Kind, address: str, run: RunInfo) -> SourceResult:
    """Fetch a source into the store, if it changed.

    Args:
        store: Where to.
        kind: Which source.
        address: Of the sample sources (``http://…``), for a database that of the database.
        run: Which run this is.

    Raises:
        SourceError: It cannot be had; see `common.errors` for when a retry helps.
        StoreError: It cannot be stored.
    """
    name = SOURCES[kind]
    if kind == "api":
        api = ApiSource(
            source_id=name, url=f"{address}/api/airlines", items_path="items", access=ACCESS
        )
        return core_fetch_api_and_store(store, api, namespace=FETCHED, run=run)
    if kind == "file":
        file = FileSource(source_id=name, url=f"{address}/files/airports.csv", access=ACCESS)
        return core_download_hash_store_and_manifest(store, file, namespace=FETCHED, run=run)
    table = DatabaseSource(
        source_id=name, url=address, table="flights_daily", key=("date", "origin", "carrier")
    )
    return core_fetch_table(store, table, namespace=FETCHED, run=run)


def process_source(store: Store, kind: Kind, run: RunInfo) -> DerivedResult:
    """Make the table of a fetched source, if it changed.

    Raises:
        PayloadError: The source is not of the promised form. No retry.
        StoreError: The store cannot read or write.
    """
    return core_process_and_store(store, _STEPS[kind], namespace=TABLES, run=run)
