"""The churn table from its source to one typed row per customer.

Writes ``data/raw`` (the table), ``data/external`` (a partner's copy), ``data/interim`` (its parts
and what the contracts found) and ``data/processed/prepared.parquet``. A broken contract stops it.

Example: python -m airnub_prefect_starter.data_science.dataset_processing --source sample
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import pandas as pd
import typer

from airnub_prefect_starter.common.addresses import address_of
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.churn.columns import SPLITS, columns_of
from airnub_prefect_starter.core.churn.preparation import prepare
from airnub_prefect_starter.core.churn.sources import read_columns
from airnub_prefect_starter.core.churn.splits import to_csv
from airnub_prefect_starter.core.churn.synthetic import customers_csv
from airnub_prefect_starter.core.churn.validation import validate
from airnub_prefect_starter.core.configuration import validate_value
from airnub_prefect_starter.core.file_handlers import core_download_hash_store_and_manifest
from airnub_prefect_starter.core.sources import FileSource
from airnub_prefect_starter.core.store import open_store
from airnub_prefect_starter.core.tables import write_parquet
from airnub_prefect_starter.data_science.config_ds import Paths, paths, written
from airnub_prefect_starter.data_science.program import RootOption, require, run_program, say

SAMPLE = "sample"
PARTNER = "partner_feed"


def fetch_table(source: str) -> bytes:
    """Get the table, or make a synthetic one; a digest in the address is checked.

    Args:
        source: An address, a path, or ``sample`` for a synthetic table of the same form.

    Raises:
        ConfigError: It is no address of a file, or there is no such file. No retry.
        SourceError: It cannot be had, or is not CSV. A retry helps where it is transient.
        DigestMismatchError: It is another table than the one that was pinned. No retry.
    """
    if source == SAMPLE:
        return customers_csv()
    values = {
        "source_id": "telco",
        "url": address_of(source),
        "media_type": "text/csv",
        # Who runs this says where the table is.
        "access": {"allow_networks": ["0.0.0.0/0", "::/0"], "allow_files": True},
    }
    file = validate_value(values, FileSource, "--source")
    with TemporaryDirectory() as folder:
        store = open_store(Path(folder).as_uri(), durability="none")
        fetched = core_download_hash_store_and_manifest(store, file, namespace="data_science")
        return store.read_blob(fetched.blob.digest)


def fetch(found: Paths, source: str) -> None:
    """Keep the table, and once more as what a partner sends: the sources of the pipeline."""
    table = fetch_table(source)
    written(found.raw_table, table)
    written(found.partner_feed, table)


def split(found: Paths) -> None:
    """Split the table by columns as three systems have it, values as received."""
    raw = require(found.raw_table, "dataset_processing").read_bytes()
    for part, columns in SPLITS.items():
        rows = read_columns(raw, columns, str(found.raw_table))
        written(found.interim / f"{part}.csv", to_csv(rows))


def process(found: Paths, *, drop_identical_sources: bool = True) -> pd.DataFrame:
    """Check the sources, and merge those that are accepted into one table.

    Raises:
        ContractError: A contract is broken; the report is in ``validation.json``. No retry.
        PayloadError: A file is no CSV, or lacks a column. No retry.
    """
    raw = {name: _read(file, name) for name, file in _sources(found).items()}
    checked = validate(raw, drop_identical_sources=drop_identical_sources)
    written(found.validation, checked.model_dump_json(indent=1).encode())
    checked.require_passed(f"See {found.validation}")
    prepared = prepare({name: raw[name] for name in checked.accepted})
    written(found.prepared, write_parquet(prepared))
    return prepared


def _sources(found: Paths) -> Mapping[str, Path]:
    return {**{part: found.interim / f"{part}.csv" for part in SPLITS}, PARTNER: found.partner_feed}


def _read(file: Path, name: str) -> pd.DataFrame:
    raw = require(file, "dataset_processing").read_bytes()
    return read_columns(raw, columns_of(name), str(file))


def main(
    source: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|URL",
            help="The table; by default that of the settings, else a synthetic one ('sample').",
        ),
    ] = None,
    drop_identical_sources: Annotated[
        bool, typer.Option(help="Leave out a source that is another's copy.")
    ] = True,
    root: RootOption = None,
) -> None:
    """Fetch the churn table, check it, and prepare one typed row per customer."""
    found = paths(root)
    fetch(found, source or configured_source())
    split(found)
    prepared = process(found, drop_identical_sources=drop_identical_sources)
    say(f"{len(prepared):,} customers in {found.prepared}")


def configured_source() -> str:
    """Give the source that the settings name, or ``sample`` where they name none."""
    return load_settings().named_telco_source or SAMPLE


if __name__ == "__main__":
    run_program(main)
