"""The churn department's sources in a store, without a server: small tables, whole or broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airnub_prefect_starter.core.churn.columns import SPLITS
from airnub_prefect_starter.core.churn.splits import core_split_table
from airnub_prefect_starter.core.churn.steps import PreparationStep, SplitStep, ValidationStep
from airnub_prefect_starter.core.churn.synthetic import customers_csv
from airnub_prefect_starter.core.file_handlers import core_download_hash_store_and_manifest
from airnub_prefect_starter.core.sources import FileSource
from airnub_prefect_starter.core.store import Store

INGESTION, VALIDATION = "ingestion.customer_data", "validation.contracts"
PREPARATION = "preparation.clean_and_merge"
TABLE = customers_csv(count=300)
VALIDATED = ValidationStep(
    parts=tuple(f"{INGESTION}/{name}" for name in SPLITS), feeds=(f"{INGESTION}/partner_feed",)
)
PREPARED = PreparationStep(input=f"{VALIDATION}/validated")
# What the department makes of the sample sources' table, on any machine.
SAMPLE_TABLES = {
    "preparation.clean_and_merge/prepared": (
        "sha256:4aaab46a51cbee21b429e124fa367e18a609e65c10615ae399da4ffdf23be5c0"
    ),
    "transformation.feature_store/customer": (
        "sha256:3109acfc8b057c419f9ea0c1cc35ba9cbad4306f345e176b7eb79a387410ea20"
    ),
}
SAMPLE_CHAMPION = "Champion: customer_churn version 1 (logistic_regression), AUC 0.8154"
REAL_TABLE = os.environ.get("AIRNUB_TELCO_CSV") or None
needs_real_table = pytest.mark.skipif(
    REAL_TABLE is None, reason="AIRNUB_TELCO_CSV names no copy of the published table"
)


def fetch(store: Store, source_id: str, table: bytes, folder: Path) -> None:
    """Store a table as if it were fetched."""
    path = folder / f"{source_id}.csv"
    path.write_bytes(table)
    source = FileSource.model_validate(
        {"source_id": source_id, "url": path.as_uri(), "access": {"allow_files": True}}
    )
    core_download_hash_store_and_manifest(store, source, namespace=INGESTION)


def ingest(store: Store, table: bytes, folder: Path, *, feed: bytes | None = None) -> None:
    """Store the table, the partner's feed (by default the same) and the parts of the table."""
    fetch(store, "telco", table, folder)
    fetch(store, "partner_feed", table if feed is None else feed, folder)
    for name in SPLITS:
        step = SplitStep(source_id=name, input=f"{INGESTION}/telco")
        core_split_table(store, step, namespace=INGESTION)


def changed(table: bytes, row: int, column: str, value: str) -> bytes:
    """Give a table with one cell changed; rows count from 1."""
    header, *rows = table.decode().splitlines()
    cells = rows[row - 1].split(",")
    cells[header.split(",").index(column)] = value
    rows[row - 1] = ",".join(cells)
    return "\n".join([header, *rows, ""]).encode()
