"""Train the department's candidates on features of this machine, and keep the best one.

Reads ``data/processed/features.parquet``; writes ``models/<name>.json`` (what each candidate is
worth), ``models/<name>.skops`` (the best one) and ``data/processed/held_out.parquet``. A model that
misses a gate is not written.

Example: python -m airnub_prefect_starter.data_science.modeling.train
"""

from __future__ import annotations

from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.evaluation import Evaluation
from airnub_prefect_starter.core.ml.gates import require as require_gates
from airnub_prefect_starter.core.ml.training import Training, train
from airnub_prefect_starter.core.tables import read_parquet, write_parquet
from airnub_prefect_starter.data_science.config_ds import Paths, model_spec, paths, written
from airnub_prefect_starter.data_science.program import RootOption, require, run_program, say


def train_model(found: Paths, spec: ModelSpec) -> Training:
    """Train every candidate, and write what they are worth and the best one.

    Raises:
        ObjectNotFoundError: There are no features yet. No retry.
        PayloadError: They are not what the specification says. No retry.
        GateError: The best candidate misses a gate; its evaluation is written. No retry.
    """
    rows = read_parquet(require(found.features, "feature_engineering").read_bytes())
    trained = train(rows, spec)
    written(found.evaluation(spec.name), trained.evaluation.to_json())
    written(found.held_out, write_parquet(trained.scores))
    require_gates(trained.evaluation.gates, spec.name)
    written(found.model(spec.name), trained.model_file)
    return trained


def main(root: RootOption = None) -> None:
    """Train the candidates, and show what each is worth."""
    found, spec = paths(root), model_spec()
    trained = train_model(found, spec)
    for line in table_of(trained.evaluation):
        say(line)
    say(f"{trained.evaluation.winner} in {found.model(spec.name)}")


def table_of(evaluation: Evaluation) -> list[str]:
    """Give a line per candidate, the best one first: AUC by folds and on the rows held out."""
    ordered = sorted(evaluation.candidates, key=lambda each: -each.cv_auc)
    width = max(len(each.name) for each in ordered)
    return [
        f"{each.name:<{width}}  AUC {each.cv_auc:.4f} ± {each.cv_auc_sd:.4f} "
        f"in folds, {each.test.auc:.4f} held out"
        for each in ordered
    ]


if __name__ == "__main__":
    run_program(main)
