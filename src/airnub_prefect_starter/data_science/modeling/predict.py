"""Say who will leave: the model of this machine on rows of features.

Reads ``models/<name>.skops`` and a Parquet file of features; writes
``data/processed/predictions.csv``, the most likely to leave first.

Example: python -m airnub_prefect_starter.data_science.modeling.predict
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.ml import model_files
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.rows import model_input, require_columns
from airnub_prefect_starter.core.ml.training import positive_scores
from airnub_prefect_starter.core.tables import read_parquet
from airnub_prefect_starter.data_science.config_ds import Paths, model_spec, paths, written
from airnub_prefect_starter.data_science.modeling.train import read_trained
from airnub_prefect_starter.data_science.program import RootOption, require, run_program, say


def predict(found: Paths, spec: ModelSpec, rows: pd.DataFrame) -> pd.DataFrame:
    """Give each row's key, probability of the positive class and label; most likely first.

    Raises:
        ObjectNotFoundError: No model was trained yet. No retry.
        DigestMismatchError: The model file is not the one that was evaluated. No retry.
        PayloadError: The rows lack the key or a feature. No retry.
    """
    require_columns(rows, [spec.key])
    evaluation, raw = read_trained(found, spec)
    model = model_files.load(raw, evaluation.model_file)
    scores = positive_scores(model, model_input(rows, spec.numeric, spec.categorical))
    threshold = evaluation.best.test.at_threshold.threshold
    scored = pd.DataFrame(
        {spec.key: rows[spec.key], "probability": scores, "label": scores >= threshold}
    )
    return scored.sort_values(["probability", spec.key], ascending=[False, True], ignore_index=True)


def main(
    rows: Annotated[
        Path | None,
        typer.Option("--input", help="Parquet file of features; all customers by default."),
    ] = None,
    root: RootOption = None,
) -> None:
    """Score rows of features with the model that was trained last."""
    found, spec = paths(root), model_spec()
    scored = predict(found, spec, read_parquet(_bytes(rows, found)))
    written(found.predictions, scored.to_csv(index=False, lineterminator="\n").encode())
    say(f"{int(scored['label'].sum()):,} of {len(scored):,} will leave: {found.predictions}")


def _bytes(given: Path | None, found: Paths) -> bytes:
    if given is None:
        return require(found.features, "feature_engineering").read_bytes()
    try:
        return given.read_bytes()
    except OSError as error:
        raise ConfigError(f"{given}: {error.strerror}", "Give a file that can be read") from error


if __name__ == "__main__":
    run_program(main)
