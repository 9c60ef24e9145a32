"""Plots of the data and of the model of this machine, as PNG in ``reports/figures``.

Reads ``data/processed/features.parquet`` and, for the plots of a model, what `modeling.train` has
written.

Example: python -m airnub_prefect_starter.data_science.visualization_scripts
"""

from __future__ import annotations

from pathlib import Path

from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.plots import draw_training
from airnub_prefect_starter.core.ml.rows import training_rows
from airnub_prefect_starter.core.ml.training import Training
from airnub_prefect_starter.core.tables import read_parquet
from airnub_prefect_starter.data_science.config_ds import Paths, model_spec, paths, written
from airnub_prefect_starter.data_science.modeling.train import read_trained
from airnub_prefect_starter.data_science.program import RootOption, require, run_program, say


def draw(found: Paths, spec: ModelSpec) -> list[Path]:
    """Draw churn by segment, ROC, calibration and importance.

    Raises:
        ObjectNotFoundError: There are no features, or no model yet. No retry.
        DigestMismatchError: The model file is not the one that was evaluated. No retry.
    """
    return [
        written(found.figures / f"{name}.png", png)
        for name, png in draw_training(last_training(found, spec), spec).items()
    ]


def last_training(found: Paths, spec: ModelSpec) -> Training:
    """Read back what `modeling.train` wrote last.

    Raises:
        ObjectNotFoundError: It has not run yet, or its model missed a gate. No retry.
        DigestMismatchError: The model file is not the one that was evaluated. No retry.
    """
    rows = read_parquet(require(found.features, "feature_engineering").read_bytes())
    evaluation, model_file = read_trained(found, spec)
    return Training(
        evaluation=evaluation,
        model_file=model_file,
        rows=training_rows(rows, spec),
        scores=read_parquet(require(found.held_out, "modeling.train").read_bytes()),
    )


def main(root: RootOption = None) -> None:
    """Draw the plots of the data and of the model."""
    for path in draw(paths(root), model_spec()):
        say(str(path))


if __name__ == "__main__":
    run_program(main)
