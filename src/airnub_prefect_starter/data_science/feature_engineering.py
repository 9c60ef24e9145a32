"""From prepared rows to features: the same columns, types and order as in the feature store.

Reads ``data/processed/prepared.parquet`` and writes ``data/processed/features.parquet``.

Example: python -m airnub_prefect_starter.data_science.feature_engineering
"""

from __future__ import annotations

import pandas as pd

from airnub_prefect_starter.core.churn.features import add_churn_features
from airnub_prefect_starter.core.feature_store.table import feature_rows
from airnub_prefect_starter.core.tables import read_parquet, write_parquet
from airnub_prefect_starter.data_science.config_ds import (
    Paths,
    feature_step,
    paths,
    written,
)
from airnub_prefect_starter.data_science.program import RootOption, require, run_program, say


def engineer(found: Paths) -> pd.DataFrame:
    """Compute the features of the department's registry, with its thresholds.

    Raises:
        ObjectNotFoundError: There are no prepared rows yet. No retry.
        TableSchemaError: The registry and what is computed differ. No retry.
    """
    step = feature_step()
    prepared = read_parquet(require(found.prepared, "dataset_processing").read_bytes())
    computed = add_churn_features(prepared, step.engineered)
    rows = feature_rows(computed, step.registry, step.event_timestamp)
    written(found.features, write_parquet(rows))
    return rows


def main(root: RootOption = None) -> None:
    """Compute the features of prepared rows."""
    found = paths(root)
    rows = engineer(found)
    say(f"{len(rows):,} rows of {len(rows.columns)} columns in {found.features}")


if __name__ == "__main__":
    run_program(main)
